"""Leaderboard as a frame: one row per configuration without its seed and fold."""

import os
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Any

from paretosteer.cells.cell import find_cells
from paretosteer.cells.changed_files import warn_of_changes
from paretosteer.report.analysis.evaluate_table import RowResult, TableResult, evaluate
from paretosteer.report.analysis.tables import make_tables
from paretosteer.report.columns import fixed_names, whole_names

if TYPE_CHECKING:
    import pandas as pd


def leaderboard(*dirs: str | os.PathLike[str]) -> "pd.DataFrame":
    """Leaderboard of every cell at or below the folders, as in `leaderboard.csv`."""
    found = make_tables(find_cells(*dirs))
    warn_of_changes(found.changed)
    return leaderboard_frame(evaluate(table) for table in found.tables)


def leaderboard_frame(tables: Iterable[TableResult]) -> "pd.DataFrame":
    """Rows of all tables, best first within each.

    Returns
    -------
    The columns that every leaderboard has, then those that some rows have by name: per objective,
    per phase, of plug-ins. Missing where a value does not apply.
    """
    return as_frame([_row(table, result) for table in tables for result in table.rows])


def as_frame(rows: Sequence[dict[str, Any]]) -> "pd.DataFrame":
    """Rows as a frame with the leaderboard's columns; counts are nullable whole numbers."""
    import pandas as pd

    fixed = fixed_names()
    varying = sorted({name for row in rows for name in row} - set(fixed))
    frame = pd.DataFrame(rows, columns=[*fixed, *varying])
    counts = {name: frame[name].astype("Float64").round().astype("Int64") for name in whole_names()}
    return frame.assign(**counts, exempt=frame["exempt"].astype("boolean"))


def _row(table: TableResult, result: RowResult) -> dict[str, Any]:
    row, setting, curves = result.row, table.table.setting, result.curves
    seeds = sorted({replicate.seed for replicate in row.replicates})
    folds = sorted({each.fold for each in row.replicates if each.fold is not None})
    return {
        **result.figures,
        "table": table.table.number,
        "benchmark": table.table.benchmark,
        "benchmark_version": setting.version if setting else None,
        "model": table.table.model,
        "method": row.method,
        "variant": row.variant,
        "label": row.label,
        "exempt": row.exempt,
        "seeds": len(seeds),
        "seed_list": " ".join(map(str, seeds)),
        "folds": len(folds) or None,
        "fold_list": " ".join(map(str, folds)),
        "cells": len(row.cells),
        "replicates": len(row.replicates),
        "status": row.status,
        "ratio_to": table.ratio_to if "hypervolume_ratio" in result.figures else None,
        "points": len(curves.band.mean) if curves else None,
        "dialled_points": len(curves.dialled) // len(row.replicates) if curves else None,
        "budget_steps": row.cap,
        "reason": "; ".join(dict.fromkeys(cell.reason for cell in row.cells if cell.reason)),
        "paths": " ".join(str(cell.path) for cell in row.cells),
        **({"cost_unknown": True} if row.cost_unknown else {}),
    }
