"""Tables of the page, rows by columns, which a script makes sortable."""

from collections.abc import Sequence
from typing import Any

from paretosteer.metrics.row_metric import Column
from paretosteer.report.analysis.comparable import numbered
from paretosteer.report.analysis.evaluate_table import RowResult, TableResult
from paretosteer.report.columns import HYPERVOLUME
from paretosteer.report.figures.style import styles
from paretosteer.report.page.keys import key


def sortable_table(
    result: TableResult, known: Sequence[Column], main: bool = False
) -> dict[str, Any]:
    """Rows by columns; the `main` table has all rows, bars of hypervolume, and the status."""
    columns = result.present(known)
    best = {column.name: result.best(column) for column in columns}
    looks = styles(result, result.rows)
    widest = max((each.figures["hypervolume_high"] for each in result.scored), default=0.0)

    def cell(each: RowResult, column: Column) -> dict[str, Any]:
        value = each.figures.get(column.name)
        return {
            "text": each.text(column),
            # The number that the text stands for, where it is one.
            "value": f"{value:.9g}" if isinstance(value, int | float) else None,
            "best": each.row.label in best[column.name],
            "bar": _bar(each, widest) if main and column is HYPERVOLUME else None,
        }

    return {
        "columns": columns,
        "ranked_by": HYPERVOLUME.name if main else None,
        "noun": result.noun,
        "rows": [
            {
                "label": each.row.label,
                "mark": each.row.mark,
                "status": each.row.status,
                "key": key(look),
                "cells": [cell(each, column) for column in columns],
                "scored": len(each.row.replicates),
                "all": len(each.row.cells),
                "folds": _folds(each),
            }
            for each, look in zip(result.rows if main else result.scored, looks, strict=False)
        ],
    }


def _folds(each: RowResult) -> str:
    """Folds and seeds in which a row's cells were scored, where there are folds."""
    folds = sorted({it.fold for it in each.row.replicates if it.fold is not None})
    seeds = sorted({it.seed for it in each.row.replicates})
    return f": {numbered('fold', folds)}, {numbered('seed', seeds)}" if folds else ""


def _bar(each: RowResult, widest: float) -> dict[str, str] | None:
    """Hypervolume and its interval in per cent of the widest."""
    if not each.curves or not widest:
        return None
    middle, low, high = (
        100 * each.figures[f"hypervolume{end}"] / widest for end in ("", "_low", "_high")
    )
    return {"middle": f"{middle:.1f}", "low": f"{low:.1f}", "width": f"{high - low:.1f}"}
