"""Hypervolume by Monte Carlo along random rays, where exact computation is too expensive."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from numpy.typing import ArrayLike

from paretosteer.metrics.blocks import blocks
from paretosteer.metrics.input_checks import FloatArray, as_points, as_reference

# The second for thousands of sets that are near each other, as resamples are.
RAYS, FEW_RAYS = 30_000, 2_000


@dataclass(frozen=True)
class Volume:
    """A hypervolume, the standard error of its estimate, and whether it is exact (error 0)."""

    value: float
    error: float
    exact: bool


def monte_carlo_hypervolume(points: ArrayLike, reference: ArrayLike, seed: int = 0) -> Volume:
    """Estimate a hypervolume along random rays; shapes as in `hypervolume`.

    Draw points uniformly in the box between the reference and the best value in every objective.
    The share of dominated ones estimates the volume. But on the ray from the reference through such
    a point, the dominated part ends at a known share ρ of the way to the box's side; so the point
    is dominated with probability ρ^m. The mean of these probabilities has a lower variance (Rao and
    Blackwell). It varies smoothly with the points, so common rays resolve small differences.
    """
    array = as_points(points)
    edges = edges_above(array, as_reference(reference, array.shape[1]))
    return along_rays(edges, edges.max(axis=0, initial=0.0), RAYS, seed)


def edges_above(points: FloatArray, corner: FloatArray) -> FloatArray:
    """Edges (n, m) of the boxes between a corner and those points that are above it."""
    return (points - corner)[(points > corner).all(axis=1)]


def along_rays(edges: FloatArray, top: FloatArray, rays: int, seed: int = 0) -> Volume:
    """Monte Carlo hypervolume of boxes (n, m) within the box of edges `top` (m,)."""
    if len(edges) == 0:
        return Volume(0.0, 0.0, exact=True)
    shares = _dominated_shares(edges / top, _rays(rays, len(top), seed))
    whole = float(top.prod())
    error = whole * float(shares.std(ddof=1)) / np.sqrt(rays)
    return Volume(whole * float(shares.mean()), float(error), exact=False)


@lru_cache(maxsize=8)
def _rays(count: int, objectives: int, seed: int) -> FloatArray:
    """Points (count, m) at which rays through uniform points of the unit cube leave it."""
    inside = 1 - np.random.default_rng(seed).random((count, objectives))  # above 0
    return inside / inside.max(axis=1, keepdims=True)


def _dominated_shares(boxes: FloatArray, rays: FloatArray) -> FloatArray:
    """ρ^m of each ray (n, m), ρ being how far along it boxes (k, m) in the unit cube reach."""
    # In single precision, which is far finer than the error of the mean, and takes half the time.
    reached = np.empty(len(rays), dtype=np.float32)
    columns = np.ascontiguousarray(boxes.T, dtype=np.float32)
    slopes = (1 / rays).astype(np.float32)
    for block in blocks(len(rays), len(boxes)):
        shares = slopes[block, :1] * columns[0]  # (rays, k)
        for i in range(1, len(columns)):
            np.minimum(shares, slopes[block, i : i + 1] * columns[i], out=shares)
        reached[block] = shares.max(axis=1)
    return np.asarray(reached.astype(np.float64) ** len(columns))
