"""Order of pairs of points under noise: confirmed, contradicted or undecided."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import numpy.typing as npt
from numpy.typing import ArrayLike

from paretosteer.metrics.input_checks import FloatArray, MetricError, as_aligned
from paretosteer.metrics.resampling import LEVEL, Interval
from paretosteer.metrics.weight_rounding import round_weights

# Differences and variances below these shares of their terms are rounding errors.
_ROUNDING = 1e-12


class PairOrder(NamedTuple):
    """Shares of all pairs, averaged over objectives; they sum to 1."""

    confirmed: float
    contradicted: float
    undecided: float

    @property
    def interval(self) -> Interval:
        """Interval of Somers' D: every undecided pair against, or for, the order asked for."""
        net = self.confirmed - self.contradicted
        return Interval(max(net - self.undecided, -1.0), min(net + self.undecided, 1.0))


def pair_order(
    preferences: ArrayLike, points: ArrayLike, draws: ArrayLike, level: float = LEVEL
) -> PairOrder:
    """Decide for every pair with μ_k,i > μ_l,i whether f_k,i exceeds f_l,i.

    Somers' D of noisy points is biased towards 0, because noise disorders close points. Here a pair
    counts only if its difference is significant: larger than a multiple of its bootstrap standard
    error. The multiple is the `level` quantile of the largest such ratio over all pairs and
    objectives (max-t, Romano and Wolf 2005), so all decisions hold together at that level.

    Parameters
    ----------
    preferences
        (k, m).
    points
        (k, m).
    draws
        (b, k, m), the points under paired resamples.
    level
        Simultaneous confidence level.

    Raises
    ------
    MetricError
        If a weight is the same in every preference, or the draws have other shapes.
    """
    weights, resampled = as_aligned(preferences, draws)
    estimate = as_aligned(preferences, points)[1]
    if estimate.ndim != 2 or resampled.ndim != 3:
        raise MetricError(
            f"draws: have shape {resampled.shape} for points {estimate.shape}; give "
            "(resamples, k, m) and (k, m)"
        )
    levels = round_weights(weights)
    above = levels[:, None] > levels  # (k, l, m): k has more weight than l
    if not above.any(axis=(0, 1)).all():
        column = int(np.argmin(above.any(axis=(0, 1))))
        raise MetricError(
            f"preferences: column {column} is the same in every row; "
            "measure steering over at least two different settings"
        )
    gaps = estimate[:, None] - estimate  # (k, l, m)
    errors = np.empty_like(gaps)
    largest = np.zeros(len(resampled), dtype=np.float32)
    for i in range(weights.shape[1]):
        deviations = _deviations(resampled[..., i])  # (k, b)
        errors[..., i] = _standard_errors(deviations)
        _raise_to_largest_ratio(largest, deviations, errors[..., i], above[..., i])
    bound = np.quantile(largest, level) * errors + _ROUNDING * np.abs(estimate).max(initial=1e-300)
    pairs = above.sum(axis=(0, 1))  # (m,)
    confirmed = ((gaps > bound) & above).sum(axis=(0, 1)) / pairs
    contradicted = ((gaps < -bound) & above).sum(axis=(0, 1)) / pairs
    undecided = 1 - confirmed - contradicted
    return PairOrder(*(float(each.mean()) for each in (confirmed, contradicted, undecided)))


def _deviations(draws: FloatArray) -> npt.NDArray[np.float32]:
    """Deviations (k, b) of draws (b, k) from their means, less what all points have in common."""
    centred = draws - draws.mean(axis=0)
    own = centred - centred.mean(axis=1, keepdims=True)
    # In single precision, which is far finer than the error of a quantile.
    return np.ascontiguousarray(own.T, dtype=np.float32)


def _standard_errors(deviations: npt.NDArray[np.float32]) -> FloatArray:
    """Standard errors (k, k) of all differences; 0 where they are rounding errors."""
    covariance = np.asarray(np.cov(deviations.astype(np.float64)), dtype=np.float64)
    own = np.diag(covariance)
    sums = own[:, None] + own
    variances = sums - 2 * covariance
    return np.sqrt(np.where(variances > _ROUNDING * sums, variances, 0.0))


def _raise_to_largest_ratio(
    largest: npt.NDArray[np.float32],
    deviations: npt.NDArray[np.float32],
    errors: FloatArray,
    above: npt.NDArray[np.bool_],
) -> None:
    """Raise each resample's largest ratio (b,) to that of its pairs' differences to errors."""
    for own, others, error in zip(deviations, above, errors, strict=True):
        compared = others & (error > 0)
        if compared.any():
            ratios = deviations[compared] - own
            ratios /= error[compared, None].astype(np.float32)
            np.maximum(largest, np.abs(ratios, out=ratios).max(axis=0), out=largest)
