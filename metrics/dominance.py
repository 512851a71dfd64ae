"""Dominance between methods: set against set, and point against point at equal preference."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
from numpy.typing import ArrayLike

from paretosteer.metrics.input_checks import FloatArray, MetricError, as_batch, as_points


def coverage(a: ArrayLike, b: ArrayLike) -> float:
    """Share of b's points that some point of a weakly dominates.

    C(A, B) of Zitzler and Thiele 1999; C(B, A) is not its complement.

    Parameters
    ----------
    a
        (k, m).
    b
        (n, m).
    """
    covering = as_points(a, "a")
    covered = as_points(b, "b", objectives=covering.shape[1])
    weakly = (covering[:, None] >= covered).all(axis=2)  # (k, n)
    return float(weakly.any(axis=0).mean())


def set_dominates(a: ArrayLike, b: ArrayLike) -> bool:
    """Return True if a's points cover all of b's, and b's do not cover all of a's.

    Dominance of sets (Zitzler et al. 2003, "better than"), for methods at different preferences.

    Parameters
    ----------
    a
        (k, m).
    b
        (n, m).
    """
    return coverage(a, b) == 1 and coverage(b, a) < 1


def dominance_at_equal_preference(a: ArrayLike, b: ArrayLike) -> float:
    """Share of rows at which a's point dominates b's.

    Parameters
    ----------
    a, b
        (k, m), row l of both being the answer to the same preference.
    """
    first = as_points(a, "a")
    second = as_points(b, "b", objectives=first.shape[1])
    if len(first) != len(second):
        raise MetricError(
            f"b: has {len(second)} rows where a has {len(first)}; "
            "give both methods' points at the same preferences"
        )
    return float(_dominates(first, second).mean())


def dominated_by(points: ArrayLike) -> npt.NDArray[np.int64]:
    """For each row of a table, count the rows that dominate it at most preferences. ↓

    Parameters
    ----------
    points
        (rows, k, m), all at the same preferences.

    Returns
    -------
    npt.NDArray[np.int64]
        (rows,): the number of rows that dominate it at more than half of the preferences.
    """
    table = as_batch(points)
    if table.ndim != 3:
        raise MetricError(f"points: have shape {table.shape}; give a table, (rows, k, m)")
    shares = _dominates(table[:, None], table).mean(axis=2)  # (dominating, dominated)
    return np.asarray((shares > 0.5).sum(axis=0), dtype=np.int64)


def _dominates(a: FloatArray, b: FloatArray) -> npt.NDArray[np.bool_]:
    """Pareto dominance of a over b along the last axis."""
    return np.asarray((a >= b).all(axis=-1) & (a > b).any(axis=-1))
