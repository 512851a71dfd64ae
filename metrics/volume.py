"""Hypervolume: how much of objective space a set of points dominates. Higher is better."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from paretosteer.metrics.checks import (
    FloatArray,
    MetricError,
    as_batch,
    as_points,
    as_reference,
)
from paretosteer.metrics.fronts import nondominated

# The exact algorithm is exponential in m. These many front points take it about a third of a
# second; up to five objectives any grid is affordable.
_AFFORDABLE_POINTS = {6: 500, 7: 200, 8: 100, 9: 60, 10: 40}
_AFFORDABLE_BEYOND = 20

_MONTE_CARLO_SAMPLES = 100_000
_MONTE_CARLO_BLOCK = 10_000


@dataclass(frozen=True)
class Volume:
    """A hypervolume, the standard error of its estimate, and whether it is exact (error 0)."""

    value: float
    error: float
    exact: bool


class Contribution(NamedTuple):
    """What a union front loses without one method, and how many of its points are on it."""

    volume: float
    points: int


def hypervolume(points: npt.ArrayLike, reference: npt.ArrayLike) -> float:
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


def hypervolume_with_error(points: npt.ArrayLike, reference: npt.ArrayLike) -> Volume:
    """Hypervolume with the standard error of the estimate; shapes as in `hypervolume`.

    Exact (moocore) for up to five objectives and for small fronts of more, otherwise
    `monte_carlo_hypervolume`.
    """
    array = as_points(points)
    return _volume(array, as_reference(reference, array.shape[1]))


def monte_carlo_hypervolume(
    points: npt.ArrayLike, reference: npt.ArrayLike, seed: int = 0
) -> Volume:
    """Estimate a hypervolume by sampling the boxes themselves; shapes as in `hypervolume`.

    Draw a box in proportion to its volume and a point uniformly in it; the union is the sum of
    the volumes times the mean of 1 / (number of boxes that hold the point) (Karp, Luby and
    Madras 1989). The relative error does not grow with the number of objectives, as it does
    when sampling a bounding box.
    """
    array = as_points(points)
    edges = np.maximum(array - as_reference(reference, array.shape[1]), 0)  # (k, m)
    volumes = edges.prod(axis=1)
    total = float(volumes.sum())
    if total == 0:
        return Volume(0.0, 0.0, exact=True)
    rng = np.random.default_rng(seed)
    shares = np.concatenate(
        [
            _box_shares(edges, volumes / total, rng)
            for _ in range(_MONTE_CARLO_SAMPLES // _MONTE_CARLO_BLOCK)
        ]
    )
    error = total * float(shares.std(ddof=1)) / np.sqrt(len(shares))
    return Volume(total * float(shares.mean()), float(error), exact=False)


def hypervolume_many(points: npt.ArrayLike, reference: npt.ArrayLike) -> FloatArray:
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
    return np.array([_volume(points, corner).value for points in batch])


def hypervolume_ratio(
    points: npt.ArrayLike, front: npt.ArrayLike, reference: npt.ArrayLike
) -> float:
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
    whole = hypervolume(as_points(front, "front", objectives=array.shape[1]), reference)
    if whole == 0:
        raise MetricError("front: no point is above the reference; lower the reference point")
    return hypervolume(array, reference) / whole


def contribution(
    own: npt.ArrayLike, others: FloatArray | Sequence[Sequence[float]], reference: npt.ArrayLike
) -> Contribution:
    """What one method adds to the union of all methods' points. ↑

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
    lost = hypervolume(union, reference) - hypervolume(rest, reference)
    # Rounding, or Monte Carlo, can leave a loss of nothing slightly below 0.
    return Contribution(max(lost, 0.0), int(nondominated(union)[: len(mine)].sum()))


def _volume(points: FloatArray, corner: FloatArray) -> Volume:
    """Hypervolume of points (k, m) and a corner that were checked."""
    inside = points[(points > corner).all(axis=1)]
    if len(inside) == 0:
        return Volume(0.0, 0.0, exact=True)
    # Up to three objectives what filters dominated points takes longer than they do.
    front = inside if points.shape[1] <= 3 else inside[nondominated(inside)]
    if _affordable(front):
        return Volume(_exact(front, corner), 0.0, exact=True)
    return monte_carlo_hypervolume(front, corner)


def _affordable(front: FloatArray) -> bool:
    objectives: int = front.shape[1]
    return objectives <= 5 or len(front) <= _AFFORDABLE_POINTS.get(objectives, _AFFORDABLE_BEYOND)


def _exact(front: FloatArray, corner: FloatArray) -> float:
    import moocore

    return float(moocore.hypervolume(front, ref=corner, maximise=True))


def _areas(edges: FloatArray) -> FloatArray:
    """Area under each staircase of edges (b, k, 2): sweep down the first objective."""
    order = np.argsort(-edges[..., 0], axis=1)
    width, height = np.moveaxis(np.take_along_axis(edges, order[..., None], axis=1), 2, 0)  # (b, k)
    steps = -np.diff(width, axis=1, append=0)
    areas: FloatArray = (steps * np.maximum.accumulate(height, axis=1)).sum(axis=1)
    return areas


def _box_shares(
    edges: FloatArray, chances: FloatArray, rng: np.random.Generator
) -> npt.NDArray[np.float64]:
    """Sample one block of points in boxes (k, m); return 1 / (boxes holding each)."""
    boxes = rng.choice(len(edges), size=_MONTE_CARLO_BLOCK, p=chances)
    samples = rng.random((_MONTE_CARLO_BLOCK, edges.shape[1])) * edges[boxes]
    holding = sum((samples < edge).all(axis=1).astype(np.int64) for edge in edges)
    return 1 / np.asarray(holding, dtype=np.float64)
