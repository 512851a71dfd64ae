"""Metrics of a report's table, recomputed from recomputed points."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from paretosteer.interfaces import Array
from paretosteer.metrics.measure import Figures, Frame, measure
from paretosteer.metrics.optimum import TOLERANCE, Optimum
from paretosteer.metrics.row_points import Points


@dataclass(frozen=True)
class Replicate:
    """A cell in its row: points (k, m) by ascending preference, and the optimum if known.

    `inputs` are those of metrics besides the points, by name, one row per point.
    """

    fold: int | None
    points: Array
    optimum: Optimum | None
    inputs: Mapping[str, Array]


def common_optima(rows: Sequence[Sequence[Replicate]]) -> dict[int | None, Optimum] | None:
    """Optimum by fold; None if a cell has none, or if cells of a fold disagree."""
    found: dict[int | None, Optimum] = {}
    for each in (each for row in rows for each in row):
        if each.optimum is None:
            return None
        first = found.setdefault(each.fold, each.optimum)
        for one, other in zip(first, each.optimum, strict=True):
            if one.shape != other.shape or not np.allclose(one, other, rtol=0, atol=TOLERANCE):
                return None
    return found


def recomputed(
    rows: Sequence[Sequence[Replicate]],
    frame: Frame,
    other_grids: Sequence[Sequence[Replicate]] = (),
) -> list[Figures]:
    """Figures of every row, means over its replicates, by column of the leaderboard."""
    return measure(_points(rows), frame, other_grids=_points(other_grids))


def _points(rows: Sequence[Sequence[Replicate]]) -> list[Points]:
    return [
        Points(
            np.stack([each.points for each in row]),
            [each.fold for each in row],
            [each.inputs for each in row],
        )
        for row in rows
    ]
