"""Range of each objective that figures and plots show.

A row far below all others would flatten them into a line. The axis then ends at the others, and
arrows at its end mark the points beyond. High values, which are better, are never cut off.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from paretosteer.metrics.input_checks import FloatArray
from paretosteer.report.analysis.evaluate_table import Curves, TableResult
from paretosteer.runtime.terminal import enumerated

# Interquartile ranges below the lower quartile: "far out" in Tukey's Exploratory Data Analysis
# (1977).
_FENCE = 3.0

# An axis ends early only if that makes it shorter than this share of its length, and only if no
# more than this share of the rows has points beyond it.
_SHORTER = 0.6
_MINORITY = 0.25


@dataclass(frozen=True)
class DrawnRange:
    """Lowest and highest value shown of one objective."""

    low: float
    high: float
    clipped: bool  # True if points lie beyond


def drawn_ranges(result: TableResult) -> tuple[DrawnRange, ...]:
    """Range of each objective: that of all points, without those of a few rows far below."""
    rows = [each.curves for each in result.scored if each.curves]
    return tuple(_range(rows, i) for i in range(rows[0].band.mean.shape[1]))


def enclosing(ranges: tuple[DrawnRange, ...]) -> DrawnRange:
    """Smallest range that contains all of them."""
    return DrawnRange(
        min(each.low for each in ranges),
        max(each.high for each in ranges),
        any(each.clipped for each in ranges),
    )


def _range(rows: list[Curves], objective: int) -> DrawnRange:
    points = [_points(curves)[:, objective] for curves in rows]
    low, high = np.quantile([curves.band.mean[:, objective] for curves in rows], (0.25, 0.75))
    fence = low - _FENCE * (high - low)
    far_out = [bool((each < fence).any()) for each in points]
    whole, shown = [np.zeros(1)], [np.zeros(1)]  # the start model is at 0
    for curves, own, out in zip(rows, points, far_out, strict=True):
        whole.append(_marks(curves, objective))
        shown.append(own[own >= fence] if out else whole[-1])
    everything, near = np.concatenate(whole), np.concatenate(shown)
    few = 0 < sum(far_out) <= _MINORITY * len(rows)
    clipped = few and np.ptp(near) < _SHORTER * np.ptp(everything)
    values = near if clipped else everything
    return DrawnRange(float(values.min()), float(values.max()), bool(clipped))


def beyond(result: TableResult, ranges: tuple[DrawnRange, ...]) -> str:
    """Name the rows with points beyond the ranges, and how far these lie; empty without any."""
    setting = result.table.setting
    assert setting  # a scored table has one
    names = [
        f"{each.row.label} ({', '.join(extremes)})"
        for each in result.scored
        if each.curves and (extremes := list(_extremes(each.curves, ranges, setting.names)))
    ]
    if not names:
        return ""
    return f"Arrows mark points beyond the axes: {enumerated(names)}."


def _extremes(curves: Curves, ranges: Sequence[DrawnRange], names: Sequence[str]) -> Iterator[str]:
    for values, shown, name in zip(_points(curves).T, ranges, names, strict=True):
        if shown.clipped and values.min() < shown.low:
            yield f"{name} down to {values.min():.2f}".replace("-", "−")


def _points(curves: Curves) -> FloatArray:
    """Points of a row, those with further dials included."""
    return np.concatenate([curves.band.mean, curves.dialled])


def _marks(curves: Curves, objective: int) -> FloatArray:
    """Everything that a figure draws of a row: points, intervals and single replicates."""
    band = curves.band
    drawn = np.concatenate([_points(curves), band.low, band.high, *curves.replicates])
    values = drawn[:, objective]
    return values[~np.isnan(values)]
