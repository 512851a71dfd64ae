"""Rounding of weights before they are compared, the same in metrics, tables and CSV files.

Two weights are equal if they are equal to nine decimals: lattices made in other ways differ by
rounding errors of about 1e-16, while no grid in use has points as close as 1e-9.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from numpy.typing import ArrayLike

    from paretosteer.metrics.input_checks import FloatArray

_DECIMALS = 9


def round_weights(weights: ArrayLike) -> FloatArray:
    """Weights or dials (…), rounded to nine decimals."""
    import numpy as np

    return np.asarray(np.round(np.asarray(weights, dtype=np.float64), _DECIMALS))


def preference_key(preference: Iterable[float]) -> tuple[float, ...]:
    """Rounded weights (m,), to find a preference in dictionaries and sets."""
    return tuple(round(weight, _DECIMALS) for weight in preference)
