"""Significance of differences: p-values from a bootstrap, and Holm's correction."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike

from paretosteer.metrics.input_checks import FloatArray, MetricError, as_finite, as_vector

# Shares below this rest on too few replicates for the small p-values that Holm's correction needs.
_TAIL = 0.02
# Smaller p-values cannot be resolved.
_LEAST = 1e-6


def reflected_p(estimate: float, replicates: ArrayLike) -> float:
    """Two-sided p-value of "the truth is 0", by inverting the reflected interval.

    Twice the share of replicates that exceed the estimate by at least its distance from 0: below
    1 − level where `reflected_interval` excludes 0. A correction for many pairs needs smaller
    p-values than some thousand replicates resolve, so the outermost 2 % are extrapolated by an
    exponential with their mean excess (Knijnenburg et al. 2009, with shape 0). This is
    conservative where tails are normal.

    Parameters
    ----------
    estimate
        The difference.
    replicates
        (b,), the difference under each resample.

    Returns
    -------
    float
        From 1e-6, below which nothing is resolved, to 1, where the estimate is 0.
    """
    gap = float(as_finite(estimate, "estimate"))
    beyond = np.sign(gap) * (as_vector(replicates, "replicates") - gap)  # (b,)
    distance = abs(gap)
    if distance == 0:
        return 1.0
    start = float(np.quantile(beyond, 1 - _TAIL))
    if distance <= start:
        return min(1.0, 2 * float((1 + (beyond >= distance).sum()) / (1 + len(beyond))))
    excess = beyond[beyond > start] - start
    if not len(excess):
        return _LEAST
    return max(_LEAST, float(2 * _TAIL * np.exp((start - distance) / excess.mean())))


def holm(p_values: ArrayLike) -> FloatArray:
    """P-values corrected for multiple tests: rejecting those below α errs with at most α overall.

    Step-down, for any dependence between the tests (Holm 1979).

    Parameters
    ----------
    p_values
        (n,), from 0 to 1.

    Returns
    -------
    FloatArray
        (n,), in the order given.
    """
    given = as_vector(p_values, "p_values")
    if given.min() < 0 or given.max() > 1:
        raise MetricError(
            f"p_values: reach from {given.min():g} to {given.max():g}; give values from 0 to 1"
        )
    order = np.argsort(given)
    adjusted = np.empty(len(given))
    adjusted[order] = np.maximum.accumulate(given[order] * np.arange(len(given), 0, -1))
    return np.minimum(adjusted, 1.0)
