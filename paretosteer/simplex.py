"""Preferences, points of the simplex, (k, m): lattices, published grids, random draws, files."""

from itertools import permutations
from math import comb
from pathlib import Path

import numpy as np

from paretosteer.errors import UsageError
from paretosteer.interfaces import Array
from paretosteer.metrics.weight_rounding import preference_key
from paretosteer.runtime.terminal import plural

_DIVISIONS = {2: 10, 3: 5, 4: 4, 5: 3}


def lattice(objectives: int, divisions: int | None = None) -> Array:
    """Simplex lattice with its vertices, (k, m), in descending order of the first weight.

    By default there are 11 points for m = 2, 21 for m = 3 and 35 for m = 4 and 5; beyond that,
    `divisions` is 2 (Das and Dennis, 1998).
    """
    from pymoo.util.ref_dirs import get_reference_directions

    parts = divisions or usual_divisions(objectives)
    grid = get_reference_directions("das-dennis", objectives, n_partitions=parts)
    grid = np.round(grid * parts) / parts  # exact multiples, independent of the library's rounding
    return grid[np.lexsort(-grid.T[::-1])]


def lattice_size(objectives: int, divisions: int | None = None) -> int:
    """Number of points of a lattice, without making it."""
    parts = divisions or usual_divisions(objectives)
    return comb(parts + objectives - 1, objectives - 1)


def coarse_lattice(objectives: int) -> Array:
    """Lattice with half the default divisions, for model selection on validation and for MORL."""
    return lattice(objectives, coarse_divisions(objectives))


def coarse_divisions(objectives: int) -> int:
    """Number of divisions of a coarse lattice."""
    return max(1, usual_divisions(objectives) // 2)


def usual_divisions(objectives: int) -> int:
    """Number of divisions of the default lattice."""
    return _DIVISIONS.get(objectives, 2)


def parm36(objectives: int) -> Array:
    """Grid of PARM (arXiv 2505.06274) for three objectives, (36, 3).

    The 30 points of the edges in steps of 0.1, and the 6 interior points in steps of 0.2.
    """
    _three("parm36", objectives)
    fine, coarse = lattice(3, 10), lattice(3, 5)
    grid = np.concatenate([fine[(fine == 0).any(axis=1)], coarse[(coarse > 0).all(axis=1)]])
    return grid[np.lexsort(-grid.T[::-1])]


def ric13(objectives: int, published: bool = False) -> Array:
    """Grid of RiC's and MOD's evaluation for three objectives, (13, 3).

    The orders of (1, 0, 0), (0.8, 0.1, 0.1), (0.6, 0.2, 0.2) and (0.4, 0.4, 0.2), and the centre.
    With `published` the centre is made from (0.33, 0.33, 0.33), as in released code. That sums to
    0.99 and is off the simplex, so it is divided by its sum.
    """
    _three("ric13", objectives)
    centre = (0.33 if published else 1 / 3,) * 3
    kinds = [(1.0, 0.0, 0.0), (0.8, 0.1, 0.1), (0.6, 0.2, 0.2), (0.4, 0.4, 0.2), centre]
    grid = np.array(sorted({order for kind in kinds for order in permutations(kind)}))[::-1]
    grid[5] /= grid[5].sum()
    return grid


def _three(name: str, objectives: int) -> None:
    if objectives != 3:
        raise UsageError(
            f"preferences: {name} is a grid for 3 objectives, found {objectives}; "
            "use preferences=lattice"
        )


def random_points(objectives: int, count: int, seed: int) -> Array:
    """Uniform draws from the simplex, (count, m), to test a method between grid points."""
    return np.random.default_rng(seed).dirichlet(np.ones(objectives), size=count)


def read_file(path: Path, objectives: int) -> Array:
    """Read preferences from a text file: one per line, separated by commas or spaces."""
    try:
        text = path.read_text(encoding="utf-8-sig").replace(",", " ")
        rows = [[float(x) for x in line.split()] for line in text.splitlines() if line.strip()]
    except (OSError, ValueError) as error:
        raise UsageError(
            f"preferences.path: cannot read {str(path)!r} ({error}); "
            f"use a text file with {objectives} numbers per line"
        ) from None
    wrong = [n for n, row in enumerate(rows, 1) if len(row) != objectives]
    if not rows or wrong:
        found = f"line {wrong[0]} has {len(rows[wrong[0] - 1])} numbers" if wrong else "no lines"
        raise UsageError(
            f"preferences.path: {found} in {str(path)!r}; use {objectives} numbers per line"
        )
    preferences = check(np.array(rows), objectives, "preferences.path")
    keys = [preference_key(each) for each in preferences]
    if again := [n for n, key in enumerate(keys) if key in keys[:n]]:
        raise UsageError(
            f"preferences.path: {rows[again[0]]} is in {str(path)!r} more than once; leave it once"
        )
    return preferences


def check(preferences: object, objectives: int, argument: str = "preference") -> Array:
    """Preferences as floats (k, m); raise UsageError naming the argument if they are invalid."""
    try:
        mu = np.atleast_2d(np.asarray(preferences, dtype=float))
    except (TypeError, ValueError):  # a mapping, words, or rows of different lengths
        raise UsageError(
            f"{argument}: found {type(preferences).__name__} {preferences!r}; pass rows of one "
            f"weight per objective ({objectives})"
        ) from None
    if mu.shape[1] != objectives:
        raise UsageError(
            f"{argument}: found {plural(mu.shape[1], 'weight')}; pass one per objective "
            f"({objectives})"
        )
    off = ~np.isfinite(mu).all(axis=1) | (mu < 0).any(axis=1) | (abs(mu.sum(axis=1) - 1) > 1e-6)
    if off.any():
        row = mu[off][0].tolist()
        raise UsageError(f"{argument}: {row} is not on the simplex; use weights >= 0 that sum to 1")
    return mu
