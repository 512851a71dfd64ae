"""Conditional reward dispersion: how far single responses scatter at a fixed preference."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike

from paretosteer.metrics.input_checks import FloatArray, MetricError, as_finite, as_measured


def conditional_dispersion(scores: ArrayLike) -> float:
    """Mean over preferences of det Cov(s | μ) over responses (CRD). ↓

    The generalised variance of the responses to one preference (Wilks 1932), as MI-EPO reports it
    (docs/published.md).

    Parameters
    ----------
    scores
        (k, n, m), n responses to each of k preferences, two at least.
    """
    array = as_finite(scores, "scores")
    if array.ndim != 3 or array.shape[1] < 2:
        raise MetricError(
            f"scores: have shape {array.shape}; give (preferences, responses, objectives), at "
            "least two responses to each"
        )
    centred = array - array.mean(axis=1, keepdims=True)
    return dispersion_of(np.einsum("kni,knj->kij", centred, centred) / (array.shape[1] - 1))


def dispersion_of(covariances: ArrayLike) -> float:
    """The same from covariances (k, m, m) of the responses, one matrix per preference."""
    matrices: FloatArray = as_finite(covariances, "covariances")
    with np.errstate(over="ignore", invalid="ignore"):  # refused
        # Rounding can make the determinant of dependent objectives slightly negative.
        mean = np.maximum(np.linalg.det(matrices), 0.0).mean()
    return float(as_measured(mean, "dispersion"))
