"""Hypervolume: volume of objective space that a set of points dominates. Higher is better."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike

from paretosteer.metrics.exact_cost import LONGEST, LONGEST_OF_MANY, exact_seconds
from paretosteer.metrics.fronts import front_size, nondominated
from paretosteer.metrics.input_checks import (
    FloatArray,
    MetricError,
    as_batch,
    as_measured,
    as_points,
    as_reference,
)
from paretosteer.metrics.monte_carlo_volume import (
    FEW_DIRECTIONS,
    Volume,
    edges_above,
    estimate_near,
    estimate_unions,
    monte_carlo_hypervolume,
    sample_directions,
)


class Contribution(NamedTuple):
    """Hypervolume that a union front loses without one method, and its points on that front."""

    volume: float
    points: int


def affordable(sets: Iterable[FloatArray]) -> bool:
    """Return True if the exact hypervolume of every set of points (k, m) is affordable.

    Exact values and estimates must not be ranked against each other, so this decides for a table.
    """
    return all(
        exact_seconds(front_size(points), points.shape[1]) <= LONGEST
        for points in sets
        if len(points)
    )


def hypervolume(points: ArrayLike, reference: ArrayLike, exact: bool | None = None) -> float:
    """Measure of the union of boxes between the reference point and the points. ↑

    Points that are not above the reference in every objective contribute nothing (count them
    with `points_outside`).

    Parameters
    ----------
    points
        (k, m).
    reference
        (m,).
    exact
        Whether to compute it exactly (moocore) or to estimate it (`monte_carlo_hypervolume`); by
        default exactly wherever that is predicted to take at most two seconds, as it is for up to
        five objectives and for small fronts of more.

    Returns
    -------
    float
        Product of the objectives' units.

    Raises
    ------
    MetricError
        If the input cannot be used, or the measure of its points overflows.
    """
    return hypervolume_with_error(points, reference, exact).value


def hypervolume_with_error(
    points: ArrayLike, reference: ArrayLike, exact: bool | None = None
) -> Volume:
    """Hypervolume with the standard error of the estimate; arguments as in `hypervolume`."""
    array = as_points(points)
    return _volume(array, as_reference(reference, array.shape[1]), exact)


def hypervolume_many(
    points: ArrayLike, reference: ArrayLike, exact: bool | None = None
) -> FloatArray:
    """Hypervolume of every set in a batch, for bootstraps.

    Parameters
    ----------
    points
        (b, k, m).
    reference
        (m,).
    exact
        Of the sets' mean, from which estimates differ; as in `hypervolume`.

    Returns
    -------
    FloatArray
        (b,).
    """
    batch = as_batch(points)
    if batch.ndim != 3:
        raise MetricError(f"points: have shape {batch.shape}; give a batch of sets, (b, k, m)")
    corner = as_reference(reference, batch.shape[2])
    if batch.shape[2] == 2:
        return as_measured(_areas(np.maximum(batch - corner, 0)), "hypervolume")
    centre = batch.mean(axis=0)
    if exact is not False and _seconds(_front(centre, corner)) <= LONGEST_OF_MANY:
        return np.array([_volume(points, corner, exact=True).value for points in batch])
    return _many_near(batch, centre, corner, exact)


def hypervolume_ratio(points: ArrayLike, front: ArrayLike, reference: ArrayLike) -> float:
    """Hypervolume of `points` over that of a front. ↑

    Parameters
    ----------
    points
        (k, m).
    front
        (n, m): the oracle's points at the same preferences, or the union front of a table.
    reference
        (m,).

    Raises
    ------
    MetricError
        If no point of the front is above the reference.
    """
    array = as_points(points)
    best = as_points(front, "front", objectives=array.shape[1])
    own, whole = _together([array, best], as_reference(reference, array.shape[1]))
    if whole == 0:
        raise MetricError("front: no point is above the reference; lower the reference point")
    return own / whole


def contribution(
    own: ArrayLike, others: FloatArray | Sequence[Sequence[float]], reference: ArrayLike
) -> Contribution:
    """Contribution of one method to the union of all methods' points. ↑

    Parameters
    ----------
    own
        (k, m).
    others
        (n, m), the points of all other methods; empty where there are none.
    reference
        (m,).

    Returns
    -------
    Contribution
        Hypervolume the union loses without `own`, and the number of own points on its front.
    """
    mine = as_points(own, "own")
    if len(others) == 0:
        return Contribution(hypervolume(mine, reference), int(nondominated(mine).sum()))
    rest = as_points(others, "others", objectives=mine.shape[1])
    union = np.concatenate([mine, rest])
    whole, without = _together([union, rest], as_reference(reference, mine.shape[1]))
    # Rounding can make a loss of 0 slightly negative.
    return Contribution(max(whole - without, 0.0), int(nondominated(union)[: len(mine)].sum()))


def _volume(points: FloatArray, corner: FloatArray, exact: bool | None) -> Volume:
    """Hypervolume of checked points (k, m) above a checked corner."""
    front = _front(points, corner)
    if exact is None:
        exact = _seconds(front) <= LONGEST
    if exact:
        return Volume(_exact(front, corner), 0.0, exact=True)
    estimate = monte_carlo_hypervolume(front, corner)
    as_measured(estimate.value, "hypervolume")
    return estimate


def _front(points: FloatArray, corner: FloatArray) -> FloatArray:
    """Points above the corner; of more than three objectives only nondominated ones."""
    inside = points[(points > corner).all(axis=1)]
    # Up to three objectives, filtering dominated points takes longer than it saves.
    few = points.shape[1] <= 3 or len(inside) == 0
    return inside if few else inside[nondominated(inside, distinct=True)]


def _seconds(front: FloatArray) -> float:
    return exact_seconds(*front.shape)


def _together(sets: Sequence[FloatArray], corner: FloatArray) -> list[float]:
    """Hypervolumes of sets (k, m), all exact or all estimated from the same samples."""
    fronts = [_front(points, corner) for points in sets]
    if all(_seconds(front) <= LONGEST for front in fronts):
        return [_exact(front, corner) for front in fronts]
    estimates = estimate_unions([edges_above(front, corner) for front in fronts])
    return [float(as_measured(each.value, "hypervolume")) for each in estimates]


def _many_near(
    batch: FloatArray, centre: FloatArray, corner: FloatArray, exact: bool | None
) -> FloatArray:
    """Hypervolume (b,) of similar sets (b, k, m), such as resamples, with their mean `centre`.

    A few directions estimate their differences; the error of these directions is estimated at the
    centre, whose hypervolume is exact or uses all directions, and subtracted.
    """
    middle = np.maximum(centre - corner, 0)
    with np.errstate(over="ignore"):
        as_measured(np.maximum(batch - corner, 0).prod(axis=2), "hypervolume")
    sampled = sample_directions(middle.prod(axis=1), len(corner), FEW_DIRECTIONS)
    off = _volume(centre, corner, exact).value - estimate_near(middle, sampled)
    rough = np.array([estimate_near(points - corner, sampled) for points in batch])
    return np.asarray(as_measured(np.maximum(rough + off, 0.0), "hypervolume"))


def _exact(front: FloatArray, corner: FloatArray) -> float:
    import moocore

    if len(front) == 0:
        return 0.0
    return float(as_measured(moocore.hypervolume(front, ref=corner, maximise=True), "hypervolume"))


def _areas(edges: FloatArray) -> FloatArray:
    """Area under each staircase of edges (b, k, 2): sweep down the first objective."""
    order = np.argsort(-edges[..., 0], axis=1)
    width, height = np.moveaxis(np.take_along_axis(edges, order[..., None], axis=1), 2, 0)  # (b, k)
    steps = -np.diff(width, axis=1, append=0)
    with np.errstate(over="ignore"):  # refused by the caller
        areas: FloatArray = (steps * np.maximum.accumulate(height, axis=1)).sum(axis=1)
    return areas
