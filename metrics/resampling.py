"""Uncertainty: a paired bootstrap over prompts, with seeds as the outer level."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import numpy.typing as npt
from numpy.typing import ArrayLike

from paretosteer.metrics.input_checks import FloatArray, MetricError, as_finite, as_vector

# Default level of intervals.
LEVEL = 0.95


class Interval(NamedTuple):
    """Ends of a confidence interval."""

    low: float
    high: float


def resample_counts(prompts: int, resamples: int, seed: int) -> npt.NDArray[np.int64]:
    """Draw how often each prompt occurs in each resample.

    One draw serves all methods and points, which is what makes the bootstrap paired.

    Returns
    -------
    npt.NDArray[np.int64]
        (b, P), every row summing to P.
    """
    if prompts < 1 or resamples < 1:
        raise MetricError(
            f"prompts, resamples: found {prompts} and {resamples}; give at least 1 of each"
        )
    rng = np.random.default_rng(seed)
    return rng.multinomial(prompts, np.full(prompts, 1 / prompts), size=resamples)


def resampled_means(scores: ArrayLike, counts: npt.NDArray[np.int64] | FloatArray) -> FloatArray:
    """Mean score of each point under each resample.

    Parameters
    ----------
    scores
        (k, P, m), samples of a prompt already averaged.
    counts
        (b, P), from `resample_counts`; or P times shares from `resampled_shares`.

    Returns
    -------
    FloatArray
        (b, k, m).
    """
    array = as_finite(scores, "scores")
    if array.ndim != 3 or array.shape[1] != counts.shape[1]:
        raise MetricError(
            f"scores: have shape {array.shape} for counts of {counts.shape[1]} prompts; "
            "give (points, prompts, objectives)"
        )
    # From the first prompt, so that equal prompts have no spread, not even by rounding.
    first = array[:, 0]  # (k, m)
    # (b, P) with (k, P, m), summed over prompts
    return first + np.tensordot(counts / counts.shape[1], array - first[:, None], axes=(1, 1))


def resampled_shares(replicates: int, resamples: int, seed: int) -> FloatArray:
    """Draw the share of each training seed, fold or prompt in each resample.

    Plain resampling of n replicates gives intervals that are too short, by a factor of √((n − 1)/n)
    and because their spread is itself estimated. So every resample's distance from equal shares
    is divided by √(χ²/n), with χ² of n − 1 degrees of freedom: for normal replicates their mean
    then follows Student's t.

    Returns
    -------
    FloatArray
        (b, n), every row summing to 1; shares may be negative. The draw depends on the arguments
        alone, so methods trained with the same seeds stay paired.
    """
    if replicates < 2:
        raise MetricError(
            f"replicates: is {replicates}; give at least 2, since one says nothing of others"
        )
    drawn = resample_counts(replicates, resamples, seed) / replicates  # (b, n)
    # The seed's second stream: the draw must not depend on the counts.
    chi_square = np.random.default_rng([seed, 1]).chisquare(replicates - 1, size=(resamples, 1))
    equal = 1 / replicates
    return equal + (drawn - equal) * np.sqrt(replicates / chi_square)


def nested_means(values: ArrayLike, shares: FloatArray) -> FloatArray:
    """Means over replicates under resampling of both prompts and replicates.

    The mean under each resample of the prompts is shifted by the resampled differences between
    replicates. Part of these differences is prompt noise, which resampling the prompts already
    covers; so they are shrunk by the share of their variance that is not this noise, as in an
    analysis of variance (Davison and Hinkley 1997, §3.8).

    Parameters
    ----------
    values
        (n, b, …), one metric of each replicate under each resample of the prompts.
    shares
        (b, n), from `resampled_shares`.

    Returns
    -------
    FloatArray
        (b, …).
    """
    array = as_finite(values, "values")
    if array.ndim < 2 or array.shape[:2] != shares.shape[::-1]:
        raise MetricError(
            f"values: have shape {array.shape} for shares of shape {shares.shape}; "
            "give (replicates, resamples, …)"
        )
    centre, own = array.mean(axis=0), array.mean(axis=1)  # (b, …), (n, …)
    noise = (array - centre).var(axis=1).sum(axis=0) / (len(array) - 1)  # (…)
    seen = own.var(axis=0, ddof=1)
    noise_share = np.divide(noise, seen, out=np.ones_like(seen), where=seen > 0)
    kept = np.sqrt(np.clip(1 - noise_share, 0, 1))
    return np.asarray(centre + kept * np.tensordot(shares, own - own.mean(axis=0), axes=1))


def percentile_interval(replicates: ArrayLike, level: float = LEVEL) -> Interval:
    """Interval between the replicates' quantiles.

    Biased for hypervolume, a convex function of noisy points: use `reflected_interval` there.

    Parameters
    ----------
    replicates
        (b,).
    level
        Confidence level, between 0 and 1.
    """
    if not 0 < level < 1:
        raise MetricError(f"level: is {level}; give a confidence level between 0 and 1")
    tails = [(1 - level) / 2, (1 + level) / 2]
    low, high = np.quantile(as_vector(replicates, "replicates"), tails)
    return Interval(float(low), float(high))


def reflected_interval(estimate: float, replicates: ArrayLike, level: float = LEVEL) -> Interval:
    """Reflected (basic) interval: 2 · estimate − the replicates' quantiles, ends exchanged.

    Moves against the bias that resampling adds (Davison and Hinkley 1997, §5.2). Parameters as
    in `percentile_interval`.
    """
    centre = float(as_finite(estimate, "estimate"))
    low, high = percentile_interval(replicates, level)
    return Interval(2 * centre - high, 2 * centre - low)


def symmetric_interval(estimate: float, replicates: ArrayLike, level: float = LEVEL) -> Interval:
    """Symmetric interval that reaches to the further end of the percentile interval.

    For figures near a bound, which noise can only move away from it. Resampling adds noise, so
    the percentile interval is on the wrong side and may not even contain the estimate, while the
    reflected one shrinks to nothing at the bound. This one contains both. Parameters as in
    `reflected_interval`.
    """
    percentile = percentile_interval(replicates, level)
    reflected = reflected_interval(estimate, replicates, level)
    return Interval(min(percentile.low, reflected.low), max(percentile.high, reflected.high))


def probability_better(a_replicates: ArrayLike, b_replicates: ArrayLike) -> float:
    """Share of paired replicates in which a is higher than b, ties counting one half.

    Parameters
    ----------
    a_replicates, b_replicates
        (b,), from the same resamples.
    """
    a = as_vector(a_replicates, "a_replicates")
    b = as_vector(b_replicates, "b_replicates", length=len(a))
    return float((a > b).mean() + (a == b).mean() / 2)
