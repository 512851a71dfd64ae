"""Two ways to compute a hypervolume that share nothing with the package or its libraries."""

from itertools import combinations

import numpy as np
import numpy.typing as npt

Array = npt.NDArray[np.float64]


def inclusion_exclusion(points: Array, reference: Array) -> float:
    """Add and subtract the intersections of boxes; 2^k terms."""
    total = 0.0
    for size in range(1, len(points) + 1):
        for chosen in combinations(points, size):
            corner = np.min(chosen, axis=0)
            total += (-1) ** (size + 1) * float(np.prod(np.maximum(corner - reference, 0)))
    return total


def dimension_sweep(points: Array, reference: Array) -> float:
    """Cut into slabs along the last objective; each slab's base is a problem of m − 1."""
    inside = points[(points > reference).all(axis=1)]
    if len(inside) == 0:
        return 0.0
    if inside.shape[1] == 1:
        return float(inside.max() - reference[0])
    heights = np.unique(inside[:, -1])
    floors = np.concatenate([reference[-1:], heights[:-1]])
    return sum(
        (height - floor) * dimension_sweep(inside[inside[:, -1] >= height, :-1], reference[:-1])
        for floor, height in zip(floors, heights, strict=True)
    )
