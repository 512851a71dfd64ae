"""The leaderboard as a frame: one row per configuration without its seed and fold."""

import os
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Any

from paretosteer.cells.cell import find_cells
from paretosteer.report.analysis.evaluate import RowResult, TableResult, evaluate
from paretosteer.report.analysis.tables import make_tables

if TYPE_CHECKING:
    import pandas as pd

# The contract: these names in this order.
COLUMNS = (
    "table",
    "benchmark",
    "model",
    "method",
    "variant",
    "seeds",
    "status",
    "hypervolume",
    "hypervolume_low",
    "hypervolume_high",
    "hypervolume_ratio",
    "ratio_to",
    "controllability",
    "utility_loss",
    "steering_regret",
    "oracle_regret",
    "dominated_by",
    "train_steps",
    "train_tokens",
    "stored_bytes",
    "switch_seconds",
    "kl",
)

# Always there, after the contract's.
FURTHER_COLUMNS = (
    "label",
    "benchmark_version",
    "exempt",
    "cells",
    "replicates",
    "seed_list",
    "folds",
    "fold_list",
    "points",
    "dialled_points",
    "points_outside",
    "front_size",
    "hypervolume_error",
    "hypervolume_behind",
    "hypervolume_behind_low",
    "hypervolume_behind_high",
    "rank",
    "rank_low",
    "rank_high",
    "tie_group",
    "hypervolume_ref_1",
    "hypervolume_ref_3",
    "controllability_low",
    "controllability_high",
    "order_agreement",
    "spearman",
    "kendall_tau_b",
    "violations",
    "largest_backtrack",
    "steering_regret_low",
    "steering_regret_high",
    "oracle_regret_low",
    "oracle_regret_high",
    "expected_utility",
    "utility_loss_max",
    "contribution",
    "contribution_points",
    "igd_plus",
    "additive_epsilon",
    "start_nll",
    "tokens",
    "budget_steps",
    "selection_tokens",
    "reward_calls",
    "flops",
    "trained_parameters",
    "peak_memory_bytes",
    "n_total",
    "n_failed",
    "reason",
    "paths",
)

_WHOLE = (
    "table",
    "seeds",
    "cells",
    "replicates",
    "folds",
    "dominated_by",
    "rank",
    "rank_low",
    "rank_high",
    "points",
    "dialled_points",
    "contribution_points",
    "train_steps",
    "train_tokens",
    "budget_steps",
    "selection_tokens",
    "reward_calls",
    "trained_parameters",
    "stored_bytes",
    "peak_memory_bytes",
    "n_total",
    "n_failed",
)


def leaderboard(*dirs: str | os.PathLike[str]) -> "pd.DataFrame":
    """The leaderboard of every cell at or below the folders, as in `leaderboard.csv`."""
    tables = make_tables(find_cells(*dirs)).tables
    return leaderboard_frame(evaluate(table) for table in tables)


def leaderboard_frame(tables: Iterable[TableResult]) -> "pd.DataFrame":
    """Rows of all tables, best first within each.

    Returns
    -------
    `COLUMNS`, `FURTHER_COLUMNS`, then per objective `controllability_<name>` and
    `range_<name>`, and per phase `seconds_<phase>`. Missing where a value does not apply.
    """
    return as_frame([_row(table, result) for table in tables for result in table.rows])


def as_frame(rows: Sequence[dict[str, Any]]) -> "pd.DataFrame":
    """Rows as a frame with the leaderboard's columns; counts are nullable whole numbers."""
    import pandas as pd

    fixed = [*COLUMNS, *FURTHER_COLUMNS]
    varying = sorted({name for row in rows for name in row} - set(fixed))
    frame = pd.DataFrame(rows, columns=[*fixed, *varying])
    counts = {name: frame[name].astype("Float64").round().astype("Int64") for name in _WHOLE}
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
    }
