"""Utility ⟨μ, f⟩ of users with linear preference μ, and its loss against the best possible.

Points may carry leading batch axes, (…, k, m); results then carry the same axes. Values are in
the units of the objectives.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike

from paretosteer.metrics.blocks import blocks, sets_last
from paretosteer.metrics.input_checks import (
    FloatArray,
    FloatOrArray,
    MetricError,
    as_aligned,
    as_batch,
    as_finite,
    as_preferences,
)


class UtilityLoss(NamedTuple):
    """Utility lost against a front: mean and maximum over preferences."""

    mean: FloatOrArray
    maximum: FloatOrArray


def utility_loss(preferences: ArrayLike, points: ArrayLike, front: ArrayLike) -> UtilityLoss:
    """Best utility on a front minus that of the point offered, over preferences. ↓

    Parameters
    ----------
    preferences
        (k, m).
    points
        (…, k, m), row l being the answer to preference l.
    front
        (…, n, m): the oracle's points or the union front, with the same batch axes or none.

    Returns
    -------
    UtilityLoss
        Mean and maximum; at least 0 if the front covers the points.
    """
    weights, array = as_aligned(preferences, points)
    best = _utilities(weights, _same_objectives(front, weights, "front")).max(axis=-1)  # (…, k)
    loss = best - _own_utilities(weights, array)
    return UtilityLoss(loss.mean(axis=-1), loss.max(axis=-1))


def expected_utility(preferences: ArrayLike, points: ArrayLike) -> FloatOrArray:
    """Mean over preferences of the best utility among the points (EUM). ↑

    Zintgraf et al. 2015. The points need not answer these preferences.

    Parameters
    ----------
    preferences
        (q, m).
    points
        (…, k, m).
    """
    weights = as_preferences(preferences)
    array = _same_objectives(points, weights, "points")
    return _utilities(weights, array).max(axis=-1).mean(axis=-1)


def steering_regret(preferences: ArrayLike, points: ArrayLike) -> FloatOrArray:
    """EUM minus the mean utility of the points offered: the cost of mis-steering alone.

    0 also for a method that ignores preferences, so methods are not ranked on it alone.

    Parameters
    ----------
    preferences
        (k, m).
    points
        (…, k, m), row l being the answer to preference l.
    """
    weights, array = as_aligned(preferences, points)
    columns = sets_last(array)  # (m, k, b)
    lost = np.zeros(columns.shape[2])
    # Preference by preference: for a bootstrap, (k, k, b) utilities at once are slow to move.
    for block in blocks(columns.shape[2], len(weights)):
        part = np.ascontiguousarray(columns[..., block])
        for place, own in enumerate(weights):
            utilities = sum(weight * values for weight, values in zip(own, part, strict=True))
            lost[block] += np.max(utilities, axis=0) - np.asarray(utilities)[place]
    return (lost / len(weights)).reshape(array.shape[:-2])[()]


def inner_product(preferences: ArrayLike, points: ArrayLike) -> FloatOrArray:
    """Mean utility of the points offered, ⟨μ_l, f_l⟩; shapes as in `steering_regret`. ↑"""
    weights, array = as_aligned(preferences, points)
    return _own_utilities(weights, array).mean(axis=-1)


def oracle_regret(values: ArrayLike, oracle: ArrayLike, start: ArrayLike) -> FloatOrArray:
    """Mean over preferences of (V* − V) / (V* − V₀). ↓ 0 optimal, 1 nothing learned

    Parameters
    ----------
    values
        (…, k): V(μ), the method's KL-regularised value at each preference.
    oracle
        (k,): V*(μ), the best possible.
    start
        (k,): V₀(μ), the start policy's.

    Raises
    ------
    MetricError
        If the oracle does not beat the start policy, so that there is nothing to learn.
    """
    reached = as_finite(values, "values")
    best, initial = as_finite(oracle, "oracle"), as_finite(start, "start")
    if best.ndim != 1 or best.shape != initial.shape or reached.shape[-1:] != best.shape:
        raise MetricError(
            f"values: shapes of values {reached.shape}, oracle {best.shape} and start "
            f"{initial.shape} differ; give one value per preference in each"
        )
    if (best <= initial).any():
        row = int(np.argmax(best <= initial))
        raise MetricError(
            f"oracle: at preference {row} it is {best[row]:g}, not above the start policy's "
            f"{initial[row]:g}; leave out preferences at which there is nothing to learn"
        )
    return ((best - reached) / (best - initial)).mean(axis=-1)


def _utilities(weights: FloatArray, points: FloatArray) -> FloatArray:
    """⟨μ_q, f_l⟩ of every preference (q, m) with every point (…, l, m), as (…, q, l)."""
    # Summed objective by objective, as in `_own_utilities`: the same terms in the same order,
    # so that a difference between the two is exactly 0 where the points are the same.
    terms = (weights[:, None, i] * points[..., None, :, i] for i in range(weights.shape[1]))
    return np.asarray(sum(terms))


def _own_utilities(weights: FloatArray, points: FloatArray) -> FloatArray:
    """⟨μ_l, f_l⟩ of aligned preferences (k, m) and points (…, k, m), as (…, k)."""
    return np.asarray(sum(weights[:, i] * points[..., i] for i in range(weights.shape[1])))


def _same_objectives(points: ArrayLike, weights: FloatArray, name: str) -> FloatArray:
    array = as_batch(points, name)
    if array.shape[-1] != weights.shape[1]:
        raise MetricError(
            f"{name}: has {array.shape[-1]} objectives where the preferences have "
            f"{weights.shape[1]}; give both the same objectives"
        )
    return array
