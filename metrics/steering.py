"""Steering: does the outcome follow the preference?

Points may carry leading batch axes, (…, k, m), so that a bootstrap is one call; results then
carry the same axes. Weights are compared after rounding (`weight_rounding`), so that rounding
errors of a lattice do not break ties. Points are compared exactly.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
from numpy.typing import ArrayLike

from paretosteer.metrics.blocks import blocks, sets_last
from paretosteer.metrics.input_checks import (
    FloatArray,
    FloatOrArray,
    MetricError,
    as_aligned,
    as_batch,
    as_finite,
    as_reference,
)
from paretosteer.metrics.weight_rounding import round_weights


class Monotonicity(NamedTuple):
    """Steps along lattice edges on which an objective fell as its weight rose."""

    violations: int
    largest_backtrack: float
    steps: int


def steerable(preferences: FloatArray) -> bool:
    """Return True if every objective's weight varies, as rank correlations require."""
    return bool((np.ptp(round_weights(preferences), axis=0) > 0).all())


def somers_d(preferences: ArrayLike, points: ArrayLike) -> FloatArray:
    """Somers' D of each objective on its own weight, from −1 to 1. ↑

    Over all pairs with μ_k,i > μ_l,i: (concordant − discordant) / pairs, ties in f counting 0
    (Somers 1962). A constant gives 0, perfect order gives 1.

    Parameters
    ----------
    preferences
        (k, m).
    points
        (…, k, m).

    Returns
    -------
    FloatArray
        (…, m).

    Raises
    ------
    MetricError
        If a weight is the same in every preference, so that there are no pairs to compare.
    """
    weights, array = as_aligned(preferences, points)
    _require_variation(weights, "preferences")
    levels = round_weights(weights)
    by_objective = [_agreement(*each) for each in zip(levels.T, sets_last(array), strict=True)]
    return np.stack(by_objective, axis=-1).reshape(*array.shape[:-2], weights.shape[1])


def controllability(preferences: ArrayLike, points: ArrayLike) -> FloatOrArray:
    """Somers' D averaged over objectives. ↑

    Shapes and errors as in `somers_d`; a float for points (k, m), (…) for (…, k, m).
    """
    return somers_d(preferences, points).mean(axis=-1)


def order_agreement(preferences: ArrayLike, points: ArrayLike) -> FloatOrArray:
    """Controllability as a share of pairs, (D + 1) / 2, a tie counting one half. ↑"""
    return (controllability(preferences, points) + 1) / 2


def spearman(preferences: ArrayLike, points: ArrayLike) -> FloatArray:
    """Spearman's ρ of each objective with its own weight, 0 where undefined. ↑

    Parameters
    ----------
    preferences
        (k, m).
    points
        (…, k, m).

    Returns
    -------
    FloatArray
        (…, m).
    """
    weights, array = as_aligned(preferences, points)
    columns = []
    for asked, got in _orders(weights, array):
        # Wins minus losses are twice the centred average rank, and ρ is Pearson's r of ranks.
        x, y = asked.sum(axis=-1), got.sum(axis=-1)  # (k,), (…, k)
        spread = np.sqrt(np.square(x).sum() * np.square(y).sum(axis=-1))
        columns.append(_or_zero((x * y).sum(axis=-1), spread))
    return np.stack(columns, axis=-1)


def kendall_tau_b(preferences: ArrayLike, points: ArrayLike) -> FloatArray:
    """Kendall's τ_b of each objective with its own weight, 0 where undefined. ↑

    Ties in μ, which every lattice of three or more objectives has, cap τ_b below 1 even for
    perfect order; Somers' D has no such cap. Shapes as in `spearman`.
    """
    weights, array = as_aligned(preferences, points)
    columns = []
    for asked, got in _orders(weights, array):
        untied = np.sqrt(np.abs(asked).sum() * np.abs(got).sum(axis=(-2, -1)))
        columns.append(_or_zero((asked * got).sum(axis=(-2, -1)), untied))
    return np.stack(columns, axis=-1)


def monotonicity(preferences: ArrayLike, points: ArrayLike) -> Monotonicity:
    """Falls of f_i along every lattice edge from e_j to e_i. ↓

    Points at equal preference (further dials) are averaged first. Preferences off the edges
    are ignored, so without a lattice there may be no steps at all.

    Parameters
    ----------
    preferences
        (k, m).
    points
        (k, m).

    Returns
    -------
    Monotonicity
        Number of falling steps, the largest fall (in units of f, 0 if none), number of steps.
    """
    weights, array = as_aligned(preferences, points)
    if array.ndim != 2:
        raise MetricError(f"points: have shape {array.shape}; give one set of points, (k, m)")
    steps = [np.diff(response) for response in _edge_responses(weights, array)]
    rises = np.concatenate(steps) if steps else np.empty(0)
    falls = -rises[rises < 0]
    return Monotonicity(len(falls), float(falls.max(initial=0.0)), len(rises))


def steering_range(preferences: ArrayLike, points: ArrayLike) -> FloatArray:
    """Steering range of each objective: f_i at e_i minus its least at another vertex. ↑

    Points at the same vertex (further dials) are averaged.

    Parameters
    ----------
    preferences
        (k, m), with every vertex of the simplex among them.
    points
        (…, k, m).

    Returns
    -------
    FloatArray
        (…, m), in the units of the objectives.
    """
    weights, array = as_aligned(preferences, points)
    at = round_weights(weights) == 1  # (k, m): row l is vertex i
    missing = np.flatnonzero(~at.any(axis=0))
    if len(missing):
        raise MetricError(
            f"preferences: the vertex of objective {missing[0]} is missing; "
            "add the preference with all its weight there"
        )
    corners = np.stack([array[..., rows, :].mean(axis=-2) for rows in at.T], axis=-2)  # (…, m, m)
    own = np.diagonal(corners, axis1=-2, axis2=-1)  # (…, m)
    others = np.where(np.eye(len(at.T), dtype=bool), np.inf, corners).min(axis=-2)
    return np.asarray(own - others, dtype=np.float64)


def entanglement(controls: ArrayLike, points: ArrayLike) -> FloatArray:
    """Least-squares slope, with intercept, of every objective on every control. Shown only.

    One regression per pair. Elements off the diagonal are side effects on other objectives; some
    are inevitable because weights sum to 1.

    Parameters
    ----------
    controls
        (k, c): preferences μ, or α on a method's own cube.
    points
        (…, k, m).

    Returns
    -------
    FloatArray
        (…, c, m): element (i, j) is the slope of f_j on control i.

    Raises
    ------
    MetricError
        If a control never varies.
    """
    array, dials = as_batch(points), as_finite(controls, "controls")
    if dials.ndim != 2 or len(dials) != array.shape[-2]:
        raise MetricError(
            f"controls: have shape {dials.shape} for {array.shape[-2]} points; "
            "give one row of controls per point"
        )
    _require_variation(dials, "controls")
    centred = dials - dials.mean(axis=0)  # (k, c)
    slopes: FloatArray = (centred / np.square(centred).sum(axis=0)).T @ array
    return slopes


def cross_angle(preferences: ArrayLike, points: ArrayLike, reference: ArrayLike) -> FloatOrArray:
    """Mean angle between a preference and the direction from the reference to its point. ↓

    Parameters
    ----------
    preferences
        (k, m).
    points
        (…, k, m).
    reference
        (m,).

    Returns
    -------
    FloatOrArray
        Degrees, 0 to 180: a float for points (k, m), (…) for (…, k, m).

    Raises
    ------
    MetricError
        If a point is the reference itself and so has no direction.
    """
    weights, array = as_aligned(preferences, points)
    gains = array - as_reference(reference, weights.shape[1])
    lengths = np.linalg.norm(gains, axis=-1) * np.linalg.norm(weights, axis=-1)  # (…, k)
    if not lengths.all():
        raise MetricError("points: one is the reference itself; lower the reference point")
    cosines = (gains * weights).sum(axis=-1) / lengths
    return np.degrees(np.arccos(np.clip(cosines, -1, 1))).mean(axis=-1)


def _agreement(levels: FloatArray, values: FloatArray) -> FloatArray:
    """Concordant minus discordant as a share of pairs, (b,), of values (k, b) at levels (k,)."""
    order = np.argsort(levels, kind="stable")
    rising, sorted_levels = values[order], levels[order]
    above = np.searchsorted(sorted_levels, sorted_levels, side="right")  # (k,) first with more
    net = np.zeros(values.shape[1])
    for block in blocks(values.shape[1], len(levels)):
        part = np.ascontiguousarray(rising[:, block])
        for own, start in zip(part, above, strict=True):
            net[block] += (part[start:] > own).sum(axis=0)
            net[block] -= (part[start:] < own).sum(axis=0)
    return net / (len(levels) - above).sum()


def _orders(
    weights: FloatArray, points: FloatArray
) -> Iterator[tuple[npt.NDArray[np.int8], npt.NDArray[np.int8]]]:
    """For each objective, signs of pairwise differences in weight (k, k) and outcome (…, k, k)."""
    levels = round_weights(weights)
    for i in range(weights.shape[1]):
        yield _signs(levels[:, i]), _signs(points[..., i])


def _signs(values: FloatArray) -> npt.NDArray[np.int8]:
    above = values[..., :, None] > values[..., None, :]
    return above.astype(np.int8) - np.swapaxes(above, -1, -2)


def _or_zero(numerator: npt.NDArray[Any], denominator: npt.NDArray[Any]) -> FloatArray:
    out = np.zeros(np.shape(numerator))
    return np.asarray(np.divide(numerator, denominator, out=out, where=denominator > 0))


def _require_variation(controls: FloatArray, name: str) -> None:
    constant = np.flatnonzero(np.ptp(round_weights(controls), axis=0) == 0)
    if len(constant):
        raise MetricError(
            f"{name}: column {constant[0]} is the same in every row; "
            "measure steering over at least two different settings"
        )


def _edge_responses(weights: FloatArray, points: FloatArray) -> Iterator[FloatArray]:
    """f_i against rising μ_i along each edge from e_j to e_i."""
    levels = round_weights(weights)
    for i in range(weights.shape[1]):
        for j in range(weights.shape[1]):
            on_edge = np.delete(levels, [i, j], axis=1).sum(axis=1) == 0
            if i == j or not on_edge.any():
                continue
            _, place = np.unique(levels[on_edge, i], return_inverse=True)
            yield np.bincount(place, weights=points[on_edge, i]) / np.bincount(place)
