"""Hypervolume: volume of objective space that a set of points dominates. Higher is better."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike

from paretosteer.metrics.fronts import nondominated
from paretosteer.metrics.input_checks import (
    FloatArray,
    MetricError,
    as_batch,
    as_points,
    as_reference,
)
from paretosteer.metrics.monte_carlo_volume import (
    FEW_RAYS,
    RAYS,
    Volume,
    along_rays,
    edges_above,
    monte_carlo_hypervolume,
)

# The exact algorithm is exponential in m. These many front points take it about a third of a
# second; up to five objectives any grid is affordable.
_AFFORDABLE = {6: 500, 7: 200, 8: 100, 9: 60, 10: 40}
_AFFORDABLE_BEYOND = 20

# The same for thousands of sets: about five milliseconds each.
_AFFORDABLE_MANY = {6: 200, 7: 70, 8: 40, 9: 30, 10: 25}


class Contribution(NamedTuple):
    """Hypervolume that a union front loses without one method, and its points on that front."""

    volume: float
    points: int


def hypervolume(points: ArrayLike, reference: ArrayLike) -> float:
    """Measure of the union of boxes between the reference point and the points. ↑

    Points that are not above the reference in every objective contribute nothing (count them
    with `points_outside`).

    Parameters
    ----------
    points
        (k, m).
    reference
        (m,).

    Returns
    -------
    Product of the objectives' units; Monte Carlo where exact is not affordable (see
    `hypervolume_with_error`).
    """
    return hypervolume_with_error(points, reference).value


def hypervolume_with_error(points: ArrayLike, reference: ArrayLike) -> Volume:
    """Hypervolume with the standard error of the estimate; shapes as in `hypervolume`.

    Exact (moocore) for up to five objectives and for small fronts of more, otherwise
    `monte_carlo_hypervolume`.
    """
    array = as_points(points)
    return _volume(array, as_reference(reference, array.shape[1]))


def hypervolume_many(points: ArrayLike, reference: ArrayLike) -> FloatArray:
    """Hypervolume of every set in a batch, for bootstraps.

    Parameters
    ----------
    points
        (b, k, m).
    reference
        (m,).

    Returns
    -------
    (b,).
    """
    batch = as_batch(points)
    if batch.ndim != 3:
        raise MetricError(f"points: have shape {batch.shape}; give a batch of sets, (b, k, m)")
    corner = as_reference(reference, batch.shape[2])
    if batch.shape[2] == 2:
        return _areas(np.maximum(batch - corner, 0))
    if _affordable(_front(batch.mean(axis=0), corner), _AFFORDABLE_MANY):
        return np.array([_volume(points, corner).value for points in batch])
    return _many_along_rays(batch, corner)


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


def _volume(points: FloatArray, corner: FloatArray) -> Volume:
    """Hypervolume of checked points (k, m) above a checked corner."""
    front = _front(points, corner)
    if _affordable(front, _AFFORDABLE):
        return Volume(_exact(front, corner), 0.0, exact=True)
    return monte_carlo_hypervolume(front, corner)


def _front(points: FloatArray, corner: FloatArray) -> FloatArray:
    """Points above the corner; of more than three objectives only nondominated ones."""
    inside = points[(points > corner).all(axis=1)]
    # Up to three objectives, filtering dominated points takes longer than it saves.
    few = points.shape[1] <= 3 or len(inside) == 0
    return inside if few else inside[nondominated(inside)]


def _affordable(front: FloatArray, most: Mapping[int, int]) -> bool:
    objectives: int = front.shape[1]
    return objectives <= 5 or len(front) <= most.get(objectives, _AFFORDABLE_BEYOND)


def _together(sets: Sequence[FloatArray], corner: FloatArray) -> list[float]:
    """Hypervolumes of sets (k, m), all exact or all along the same rays in a common box."""
    fronts = [_front(points, corner) for points in sets]
    if all(_affordable(front, _AFFORDABLE) for front in fronts):
        return [_exact(front, corner) for front in fronts]
    edges = [edges_above(front, corner) for front in fronts]
    top = np.max([each.max(axis=0, initial=0.0) for each in edges], axis=0)
    return [along_rays(each, top, RAYS).value for each in edges]


def _many_along_rays(batch: FloatArray, corner: FloatArray) -> FloatArray:
    """Hypervolume (b,) of similar sets (b, k, m), such as resamples.

    A few rays estimate their differences; the error of these rays is estimated at the sets' mean,
    whose hypervolume uses all rays, and subtracted.
    """

    top = np.maximum(batch.max(axis=(0, 1)) - corner, 0)  # a common box, so that rays are the same

    def roughly(points: FloatArray) -> float:
        return along_rays(edges_above(points, corner), top, FEW_RAYS).value

    centre = batch.mean(axis=0)
    off = _volume(centre, corner).value - roughly(centre)
    return np.maximum([roughly(points) + off for points in batch], 0.0)


def _exact(front: FloatArray, corner: FloatArray) -> float:
    import moocore

    if len(front) == 0:
        return 0.0
    return float(moocore.hypervolume(front, ref=corner, maximise=True))


def _areas(edges: FloatArray) -> FloatArray:
    """Area under each staircase of edges (b, k, 2): sweep down the first objective."""
    order = np.argsort(-edges[..., 0], axis=1)
    width, height = np.moveaxis(np.take_along_axis(edges, order[..., None], axis=1), 2, 0)  # (b, k)
    steps = -np.diff(width, axis=1, append=0)
    areas: FloatArray = (steps * np.maximum.accumulate(height, axis=1)).sum(axis=1)
    return areas
