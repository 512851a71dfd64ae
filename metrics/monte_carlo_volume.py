"""Hypervolume by Monte Carlo over its boxes, where exact computation is too expensive.

Every point spans a box with the reference, and the hypervolume is the volume of their union. Its
boxes are sampled, not the space around them: in many objectives a front is thin, and almost no
direction through space meets the part of it that matters. This is the union estimator of Karp,
Luby and Madras (1989), of bounded relative variance: a sample of box i counts as one over the
number of boxes that contain it. Along a ray from the reference that average is known exactly. With
r_j the share of the ray that box j reaches, all samples of the ray count as
max_j r_j^m / Σ_j r_j^m. So only directions are sampled, every box has its own share of them, and
the estimate varies smoothly with the points.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from numpy.typing import ArrayLike

from paretosteer.metrics.blocks import blocks
from paretosteer.metrics.input_checks import FloatArray, as_measured, as_points, as_reference

# The second for thousands of sets that are near each other, as resamples are.
DIRECTIONS, FEW_DIRECTIONS = 30_000, 1_000
# Directions of every box at least, so that its variance is known.
_LEAST, _LEAST_OF_FEW = 16, 2


@dataclass(frozen=True)
class Volume:
    """A hypervolume, the standard error of its estimate, and whether it is exact (error 0)."""

    value: float
    error: float
    exact: bool


@dataclass(frozen=True)
class Directions:
    """Directions sampled in boxes: `boxes` (n,) ascending, and `units` (n, m) in their unit cube.

    Every unit lies on a side of the cube that does not touch the reference.
    """

    boxes: npt.NDArray[np.intp]
    units: FloatArray


def monte_carlo_hypervolume(points: ArrayLike, reference: ArrayLike, seed: int = 0) -> Volume:
    """Estimate a hypervolume from random directions in its boxes; shapes as in `hypervolume`."""
    array = as_points(points)
    edges = edges_above(array, as_reference(reference, array.shape[1]))
    if len(edges) == 0:
        return Volume(0.0, 0.0, exact=True)
    found = estimate_unions([edges], seed)[0]
    as_measured(found.value, "hypervolume")
    return found


def edges_above(points: FloatArray, corner: FloatArray) -> FloatArray:
    """Edges (n, m) of the boxes between a corner and those points that are above it."""
    return (points - corner)[(points > corner).all(axis=1)]


def estimate_unions(sets: Sequence[FloatArray], seed: int = 0) -> list[Volume]:
    """Volume of the union of boxes for each set of edges (n, m), all from the same samples.

    The samples are of the boxes of all sets, so a set is never estimated below its subset.
    """
    edges = np.concatenate(sets)
    if len(edges) == 0:
        return [Volume(0.0, 0.0, exact=True) for _ in sets]
    ends = np.cumsum([0, *(len(each) for each in sets)])
    with np.errstate(over="ignore"):  # refused by the caller
        volumes = edges.prod(axis=1)
    if not np.isfinite(volumes).all():
        return [Volume(np.inf, np.inf, exact=False) for _ in sets]
    sampled = sample_directions(volumes, edges.shape[1], DIRECTIONS, _LEAST, seed)
    shares = _shares(edges, sampled, ends)  # (sets, n)
    counts = np.bincount(sampled.boxes, minlength=len(edges))
    found = []
    for own in shares:
        means = np.bincount(sampled.boxes, own, len(edges)) / counts
        spread = np.bincount(sampled.boxes, (own - means[sampled.boxes]) ** 2, len(edges))
        error = np.sqrt((volumes**2 * spread / (counts * (counts - 1))).sum())
        found.append(Volume(float(volumes @ means), float(error), exact=False))
    return found


def sample_directions(
    volumes: FloatArray, objectives: int, count: int, least: int = _LEAST_OF_FEW, seed: int = 0
) -> Directions:
    """About `count` directions in boxes, as many in each as its share of the volumes (n,)."""
    whole = volumes.sum()
    shares = volumes / whole if whole > 0 else np.full(len(volumes), 1 / len(volumes))
    counts = np.maximum(np.round(count * shares).astype(np.intp), least)
    boxes = np.repeat(np.arange(len(volumes)), counts)
    inside = 1 - np.random.default_rng(seed).random((len(boxes), objectives))  # above 0
    return Directions(boxes, inside / inside.max(axis=1, keepdims=True))


def estimate_near(edges: FloatArray, sampled: Directions) -> float:
    """Union of boxes (k, m) from directions that were sampled for similar boxes.

    Boxes with an edge that is not positive are empty.
    """
    inside = np.asarray((edges > 0).all(axis=1))
    used = inside[sampled.boxes]
    if not used.any():
        return 0.0
    place = np.cumsum(inside) - 1
    boxes, own = edges[inside], Directions(place[sampled.boxes[used]], sampled.units[used])
    shares = _shares(boxes, own, np.array([0, len(boxes)]))[0]
    means = np.bincount(own.boxes, shares, len(boxes)) / np.bincount(own.boxes)
    return float(boxes.prod(axis=1) @ means)


def _shares(edges: FloatArray, sampled: Directions, ends: npt.NDArray[np.intp]) -> FloatArray:
    """max r_j^m over a set / Σ r_j^m over all boxes, for each set and direction, (sets, n).

    Set s has the boxes from `ends[s]` to `ends[s + 1]`.
    """
    m = edges.shape[1]
    shares = np.zeros((len(ends) - 1, len(sampled.boxes)))
    # In single precision, which is far finer than the error of the mean, and takes half the time.
    relative = edges / edges.max(axis=0)
    columns = np.ascontiguousarray(relative.T, dtype=np.float32)
    slopes = (1 / (sampled.units * relative[sampled.boxes])).astype(np.float32)  # (n, m)
    for block in blocks(len(slopes), len(edges)):
        reached = slopes[block, :1] * columns[0]  # (n, boxes)
        for i in range(1, m):
            np.minimum(reached, slopes[block, i : i + 1] * columns[i], out=reached)
        # By the largest, so that no power overflows; the direction's own box reaches 1.
        reached /= reached.max(axis=1, keepdims=True)
        reached **= m
        sums = reached.sum(axis=1)
        for own, start, end in zip(shares, ends, ends[1:], strict=False):
            if end > start:
                own[block] = reached[:, start:end].max(axis=1) / sums
    return shares
