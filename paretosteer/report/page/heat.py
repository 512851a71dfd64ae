"""Small matrices on the page, each cell tinted by its value; they need no script."""

from collections.abc import Sequence
from typing import Any

import numpy as np

from paretosteer import metrics
from paretosteer.metrics.input_checks import FloatArray
from paretosteer.report.analysis.dial_cubes import cube
from paretosteer.report.analysis.drawn_rows import MOST
from paretosteer.report.analysis.evaluate_table import TableResult

# Okabe and Ito's blue and vermillion, apart for colour-blind readers; weak enough to read upon.
_RISES, _FALLS = "0,114,178", "213,94,0"
_STRONGEST = 0.55


def dominance_matrix(result: TableResult) -> dict[str, Any] | None:
    """Share of preferences at which a row's point dominates a column's; needs two rows."""
    scored = result.scored
    if len(scored) < 2:
        return None
    points = [each.curves.band.mean for each in scored if each.curves]
    shares = np.array(
        [[metrics.dominance_at_equal_preference(a, b) for b in points] for a in points]
    )
    np.fill_diagonal(shares, np.nan)
    labels = [each.row.label for each in scored]
    return _matrix("Dominates", labels, labels, shares, 1.0)


def coverage_matrix(result: TableResult) -> dict[str, Any] | None:
    """Share of a column's points that a row's cover, with up to `MOST` rows on other grids.

    None if there is only one row.
    """
    points = {each.row.label: each.curves.band.mean for each in result.scored if each.curves}
    others = [
        (f"{row.label} (table {table.number})", row.replicates)
        for table in result.table.other_grids
        for row in table.rows
        if row.replicates
    ]
    for label, replicates in others[:MOST]:
        points[label] = np.mean([each.scores.mean(axis=1) for each in replicates], axis=0)
    if len(points) < 2:
        return None
    shares = np.array([[metrics.coverage(a, b) for b in points.values()] for a in points.values()])
    np.fill_diagonal(shares, np.nan)
    return _matrix("Covers", list(points), list(points), shares, 1.0)


def entanglement_maps(result: TableResult) -> list[dict[str, Any]]:
    """For each row, the slope of every objective on every dial."""
    setting = result.table.setting
    if not setting or not metrics.steerable(np.array(setting.preferences)):
        return []
    preferences = np.array(setting.preferences)
    maps = []
    for each in result.scored:
        assert each.curves  # scored
        label, own = each.row.label, cube(each, setting)
        maps.append((label, "weight on", metrics.entanglement(preferences, each.curves.band.mean)))
        if own:
            maps.append((label, "own dial α of", metrics.entanglement(own.dials, own.points)))
    largest = max(float(np.abs(slopes).max()) for _, _, slopes in maps)
    return [
        _matrix(label, [f"{dial} {name}" for name in setting.names], setting.names, slopes, largest)
        for label, dial, slopes in maps
    ]


def _matrix(
    title: str, rows: Sequence[str], columns: Sequence[str], values: FloatArray, largest: float
) -> dict[str, Any]:
    """Values (rows, columns) with a tint, None where they are not a number."""
    cells = [
        [None if np.isnan(value) else _tinted(value, largest) for value in line] for line in values
    ]
    return {"title": title, "columns": columns, "rows": list(zip(rows, cells, strict=True))}


def _tinted(value: float, largest: float) -> dict[str, Any]:
    strength = _STRONGEST * abs(value) / largest if largest else 0.0
    hue = _RISES if value >= 0 else _FALLS
    return {"value": value, "tint": f"rgba({hue},{strength:.2f})"}
