"""Errors of single turns of a control: along what was asked, and across it."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import numpy.typing as npt
from numpy.typing import ArrayLike

from paretosteer.metrics.input_checks import MetricError, as_measured, as_points
from paretosteer.metrics.weight_rounding import round_weights


class SteeringErrors(NamedTuple):
    """Means over the turns, each relative to the distance asked for."""

    miscalibration: float
    orthogonality: float


def steering_errors(starts: ArrayLike, goals: ArrayLike, outcomes: ArrayLike) -> SteeringErrors:
    """Miscalibration and orthogonality of outcomes against goals. ↓

    After arXiv 2505.23816. The way asked for is goal − start, the way taken outcome − start.
    Miscalibration is the error of the way taken along the way asked for: too far or too short.
    Orthogonality is its length across it: side effects. Both are shares of the way asked for, so
    their squares sum to the squared relative distance from the goal.

    Parameters
    ----------
    starts, goals, outcomes
        (n, m) each.

    Raises
    ------
    MetricError
        If a goal is its start, so that nothing was asked for.
    """
    first = as_points(starts, "starts")
    asked = as_points(goals, "goals", objectives=first.shape[1]) - first
    taken = as_points(outcomes, "outcomes", objectives=first.shape[1]) - first
    with np.errstate(over="ignore"):  # refused
        lengths = as_measured(np.linalg.norm(asked, axis=1), "length")
        as_measured(np.linalg.norm(taken, axis=1), "length")
    if not lengths.all():
        row = int(np.argmin(lengths))
        raise MetricError(f"goals: row {row} is its start; leave out turns that ask for nothing")
    along = (taken * asked).sum(axis=1) / lengths
    across = np.linalg.norm(taken - along[:, None] * asked / lengths[:, None], axis=1)
    return SteeringErrors(
        float((np.abs(along - lengths) / lengths).mean()), float((across / lengths).mean())
    )


def axis_goals(controls: ArrayLike, points: ArrayLike) -> tuple[npt.NDArray[np.float64], ...]:
    """Starts, goals and outcomes of the turns of one dial on a cube of interpolation.

    A turn of dial i by α asks for that share of what the method's own end of the dial does to
    objective i, and for nothing else. The outcome at α = 1 sets this scale.

    Parameters
    ----------
    controls
        (n, m), α of each point; 0 everywhere for the start, one dial apart from 0 for a turn.
        Other points are not used.
    points
        (n, m).

    Raises
    ------
    MetricError
        If the start, an end of a dial, or every turn besides is missing.
    """
    alphas = as_points(controls, "controls")
    array = as_points(points, objectives=alphas.shape[1])
    if len(alphas) != len(array):
        raise MetricError(
            f"controls: have {len(alphas)} rows for {len(array)} points; give one per point"
        )
    turned = round_weights(alphas) != 0
    still = np.flatnonzero(~turned.any(axis=1))
    if not len(still):
        raise MetricError("controls: no row is 0 in every dial; add the start")
    start = array[still[0]]
    starts, goals, outcomes = [], [], []
    for dial in range(alphas.shape[1]):
        alone = turned[:, dial] & (turned.sum(axis=1) == 1)
        end = np.flatnonzero(alone & (round_weights(alphas[:, dial]) == 1))
        if not len(end):
            raise MetricError(f"controls: dial {dial} is never 1 alone; add its end")
        reach = array[end[0], dial] - start[dial]
        for row in np.flatnonzero(alone):
            goal = start.copy()
            goal[dial] += alphas[row, dial] * reach
            if reach:
                starts.append(start)
                goals.append(goal)
                outcomes.append(array[row])
    if not starts:
        raise MetricError("points: no dial moves its own objective; there are no turns to measure")
    return np.array(starts), np.array(goals), np.array(outcomes)
