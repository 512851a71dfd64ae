"""Input checks of every metric: bad input raises an error and never yields a number.

The libraries underneath drop NaN rows and return 0 for malformed sets, so nothing reaches
them unchecked. Every message is one line: the argument, what was found, what to do.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt
from numpy.typing import ArrayLike

FloatArray: TypeAlias = npt.NDArray[np.float64]
# NumPy's own convention: a float for one set of points, an array for a batch of them.
FloatOrArray: TypeAlias = Any

# Weights may miss 1 by 1e-6; the rest is rounding, so that thirds to six decimals pass.
SIMPLEX_TOLERANCE = 1e-6 + 1e-12
# Of a point's values, so that sums and differences of points cannot overflow.
_LARGEST = 1e300


class MetricError(ValueError):
    """Input from which a metric cannot be computed."""


def as_finite(values: ArrayLike, name: str) -> FloatArray:
    """Return `values` as floats of any shape.

    Raises
    ------
    MetricError
        If they are ragged, not numbers, empty, NaN or infinite.
    """
    try:
        array = np.asarray(values, dtype=np.float64)
    except (TypeError, ValueError):
        raise MetricError(_not_an_array(values, name)) from None
    if array.size == 0:
        raise MetricError(f"{name}: is empty, with shape {array.shape}; give at least one value")
    if not np.isfinite(array).all():
        place = tuple(np.argwhere(~np.isfinite(array))[0].tolist())
        raise MetricError(
            f"{name}: the value at index {place} is {array[place]}; "
            "drop it or score it again before measuring"
        )
    return array


def as_vector(values: ArrayLike, name: str, length: int | None = None) -> FloatArray:
    """Return `values` as a finite vector, of the given length if one is given."""
    vector = as_finite(values, name)
    if vector.ndim != 1:
        raise MetricError(f"{name}: has shape {vector.shape}; give a flat list of numbers")
    if length is not None and len(vector) != length:
        raise MetricError(f"{name}: has {len(vector)} values; give {length}")
    return vector


def as_batch(points: ArrayLike, name: str = "points") -> FloatArray:
    """Return `points` as a finite array (…, k, m): any batch axes, k points, m objectives."""
    array = as_finite(points, name)
    if array.ndim < 2 or array.shape[-1] < 2:
        raise MetricError(
            f"{name}: has shape {array.shape}; "
            "give one row per point and one column per objective, at least two"
        )
    if max(array.max(), -array.min()) > _LARGEST:
        raise MetricError(f"{name}: holds a value beyond {_LARGEST:g}; use larger units")
    return array


def as_measured(values: FloatOrArray, measure: str) -> FloatOrArray:
    """Return a measure of finite points as it is.

    Raises
    ------
    MetricError
        If it overflows.
    """
    if not np.isfinite(values).all():
        raise MetricError(f"points: are finite, but their {measure} overflows; use larger units")
    return values


def as_points(points: ArrayLike, name: str = "points", objectives: int | None = None) -> FloatArray:
    """Return `points` as a finite matrix (k, m), with m `objectives` if they are given."""
    array = as_batch(points, name)
    if array.ndim != 2:
        raise MetricError(f"{name}: has {array.ndim} axes; give one set of points, shape (k, m)")
    if objectives is not None and array.shape[1] != objectives:
        raise MetricError(
            f"{name}: has {array.shape[1]} objectives where {objectives} are expected; "
            "give every set the same objectives"
        )
    return array


def as_reference(reference: ArrayLike, objectives: int) -> FloatArray:
    """Return the reference point as a finite vector (m,)."""
    vector = as_finite(reference, "reference")
    if vector.shape != (objectives,):
        raise MetricError(
            f"reference: has shape {vector.shape} for {objectives} objectives; "
            "give one value per objective, in their order"
        )
    return vector


def as_preferences(preferences: ArrayLike) -> FloatArray:
    """Return preferences (k, m), each row on the simplex to within 1e-6."""
    weights = as_points(preferences, "preferences")
    negative = np.argwhere(weights < -SIMPLEX_TOLERANCE)
    if len(negative):
        row, column = negative[0]
        raise MetricError(
            f"preferences: row {row} has the negative weight {weights[row, column]:g}; "
            "give weights of at least 0"
        )
    totals = weights.sum(axis=1)
    off = np.flatnonzero(np.abs(totals - 1) > SIMPLEX_TOLERANCE)
    if len(off):
        raise MetricError(
            f"preferences: row {off[0]} sums to {totals[off[0]]:.9g}; "
            "divide each row by its sum so that it sums to 1"
        )
    return weights


def as_aligned(preferences: ArrayLike, points: ArrayLike) -> tuple[FloatArray, FloatArray]:
    """Return preferences (k, m) and points (…, k, m), aligned row by row."""
    weights, array = as_preferences(preferences), as_batch(points)
    if array.shape[-2:] != weights.shape:
        raise MetricError(
            f"points: have shape {array.shape} for preferences of shape {weights.shape}; "
            "give one point per preference, in the same order and objectives"
        )
    return weights, array


def _not_an_array(values: ArrayLike, name: str) -> str:
    lengths = (
        {len(row) for row in values if isinstance(row, Sequence | np.ndarray)}
        if isinstance(values, Sequence)
        else set()
    )
    if len(lengths) > 1:
        found = ", ".join(map(str, sorted(lengths)))
        return f"{name}: is ragged, with rows of {found} values; give every row the same length"
    return f"{name}: holds something that is not a number; give numbers only"
