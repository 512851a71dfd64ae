"""Optimum at a set of preferences, and the regret of points against it."""

from collections.abc import Iterable
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from paretosteer.metrics.input_checks import FloatArray

# Standard units. Smaller gains are rounding, and leave nothing to learn.
TOLERANCE = 1e-6


class Optimum(NamedTuple):
    """Exact optimal points at a table's preferences (k, m), and the start model's point (m,)."""

    points: FloatArray
    start: FloatArray


def learnable(preferences: FloatArray, optima: Iterable[Optimum]) -> npt.NDArray[np.intp]:
    """Places (n,) of the preferences (k, m) at which every optimum beats its start model."""
    gains = [(preferences * (each.points - each.start)).sum(axis=1) for each in optima]
    return np.flatnonzero(np.min(gains, axis=0) > TOLERANCE)


def regrets(
    points: FloatArray, preferences: FloatArray, optimum: Optimum, places: npt.NDArray[np.intp]
) -> FloatArray:
    """Oracle regret (V* − V) / (V* − V₀) of points (k, m) at some of the preferences, (n,)."""
    weights = preferences[places]  # (n, m)
    values = (points[places] * weights).sum(axis=1)
    best = (optimum.points[places] * weights).sum(axis=1)
    shares: FloatArray = (best - values) / (best - weights @ optimum.start)
    return shares
