"""`report.json`: the whole report in machine-readable form, with sorted keys and without NaN."""

import json
import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict
from typing import Any

import numpy as np

from paretosteer.cells.cell import Cell
from paretosteer.report.analysis.bootstrap import Band
from paretosteer.report.analysis.budget_curves import ladders
from paretosteer.report.analysis.comparable import Setting
from paretosteer.report.analysis.evaluate_table import Curves, RowResult, TableResult
from paretosteer.report.analysis.oracle import Oracle
from paretosteer.report.analysis.tables import Tables
from paretosteer.report.outputs.leaderboard import leaderboard_frame
from paretosteer.report.outputs.notes import notes
from paretosteer.report.outputs.text_tables import apart

_DIGITS = 6


def report_json(found: Tables, results: Sequence[TableResult]) -> str:
    """Report as JSON text, with figures to six digits."""
    special = apart(results)
    content = {
        "schema": 1,
        "tables": [_table(each, special.get(each.table.number)) for each in results],
        "cells": _cells(found),
        "code": _code(found),
    }
    text = json.dumps(plain(content), sort_keys=True, indent=1, ensure_ascii=False, allow_nan=False)
    return text + "\n"


def _table(result: TableResult, special: str | None) -> dict[str, Any]:
    rows = leaderboard_frame([result]).astype(object).to_dict(orient="records")
    setting = result.table.setting
    return {
        "number": result.table.number,
        "setting": _setting(setting) if setting else None,
        "raw_reference": result.raw_reference,
        "raw_bounds": result.raw_bounds,
        "apart": special,
        "notes": notes(result),
        "pairs": [asdict(pair) for pair in result.pairs],
        "win_rates": [each._asdict() for each in result.win_rates],
        "union_front": result.union,
        "oracle": result.oracle.mean if result.oracle else None,
        "equal_drift": asdict(result.equal_drift) if result.equal_drift else None,
        "budgets": [
            {
                "label": ladder.label,
                "caps": [each.row.cap for each in ladder.rows],
                "hypervolume": [each.figures["hypervolume"] for each in ladder.rows],
            }
            for ladder in ladders(result.scored)
        ],
        "rows": [
            {
                "figures": {str(name): value for name, value in figures.items()},
                "options": each.row.options,
                **(_curves(each, each.curves, setting) if each.curves and setting else {}),
                **_regret(each.curves, result.oracle),
            }
            for figures, each in zip(rows, result.rows, strict=True)
        ],
    }


def _setting(setting: Setting) -> dict[str, Any]:
    content = asdict(setting)
    del content["grid"]  # the preferences, rounded
    return content


def _curves(result: RowResult, curves: Curves, setting: Setting) -> dict[str, Any]:
    return {
        "points": _band(setting.preferences, curves.band),
        "replicates": [
            {
                "seed": replicate.seed,
                "fold": replicate.fold,
                "points": points,
                "hypervolume": volume,
            }
            for replicate, points, volume in zip(
                result.row.replicates, curves.replicates, curves.volumes.estimates, strict=True
            )
        ],
        "dialled_points": curves.dialled,
        "judged_points": curves.judged,
        "weight_response": {
            name: [asdict(level) for level in levels]
            for name, levels in zip(setting.names, curves.responses, strict=True)
        },
    }


def _regret(curves: Curves | None, oracle: Oracle | None) -> dict[str, Any]:
    if not curves or not curves.regret or not oracle:
        return {}
    return {"regret_by_preference": _band(oracle.preferences[oracle.places], curves.regret.band)}


def _band(preferences: Iterable[Sequence[float]], band: Band) -> list[dict[str, Any]]:
    return [
        {"preference": mu, "mean": mean, "low": low, "high": high}
        for mu, mean, low, high in zip(preferences, band.mean, band.low, band.high, strict=True)
    ]


def _cells(found: Tables) -> list[dict[str, Any]]:
    return [
        {
            "path": str(cell.path),
            "status": cell.status,
            "reason": cell.reason,
            "benchmark": cell.benchmark,
            "method": cell.method,
            "variant": cell.variant,
            "seed": cell.seed,
            "fold": cell.fold,
            "superseded_by": str(found.superseded[cell.path])
            if cell.path in found.superseded
            else None,
            **_provenance(cell),
        }
        for cell in found.cells
    ]


def _provenance(cell: Cell) -> dict[str, Any]:
    recorded = cell.record.as_dict() if cell.record else {}
    return {name: recorded.get(name) for name in _PROVENANCE}


_PROVENANCE = (
    "identity",
    "model",
    "normaliser",
    "prompts",
    "kl_coefficient",
    "reward_models",
    "exempt",
    "command",
    "created",
    "stages",
    "files",
    "seeds",
    "batch_size",
    "dtype",
    "device",
    "versions",
    "git",
    "source_digest",
    "selection",
    "cost",
    "notes",
    "n_total",
    "n_scored",
    "n_failed",
)


def _code(found: Tables) -> list[dict[str, Any]]:
    """Source digests of the cells, with the number of cells of each."""
    digests = [cell.record.source_digest for cell in found.cells if cell.record]
    return [
        {"source_digest": digest, "cells": digests.count(digest)} for digest in sorted(set(digests))
    ]


def plain(value: Any) -> Any:
    """Convert to JSON values: arrays become lists, missing or non-finite values null."""
    if isinstance(value, Mapping):
        return {str(name): plain(each) for name, each in value.items()}
    if isinstance(value, str) or value is None:
        return value
    if isinstance(value, bool | np.bool_):
        return bool(value)
    if isinstance(value, int | np.integer):
        return int(value)
    if isinstance(value, float | np.floating):
        return float(f"{value:.{_DIGITS}g}") if math.isfinite(value) else None
    if isinstance(value, np.ndarray | Iterable):
        return [plain(each) for each in value]
    return None  # pandas.NA
