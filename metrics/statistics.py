"""Uncertainty: a paired bootstrap over prompts, with seeds as the outer level."""

from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from paretosteer.metrics.checks import FloatArray, MetricError, as_finite, as_vector


class Interval(NamedTuple):
    """Ends of a confidence interval."""

    low: float
    high: float


def resample_counts(prompts: int, resamples: int, seed: int) -> npt.NDArray[np.int64]:
    """Draw how often each prompt occurs in each resample.

    One draw serves all methods and points, which is what makes the bootstrap paired.

    Returns
    -------
    (b, P), every row summing to P.
    """
    if prompts < 1 or resamples < 1:
        raise MetricError(
            f"prompts, resamples: found {prompts} and {resamples}; give at least 1 of each"
        )
    rng = np.random.default_rng(seed)
    return rng.multinomial(prompts, np.full(prompts, 1 / prompts), size=resamples)


def resampled_means(scores: npt.ArrayLike, counts: npt.NDArray[np.int64]) -> FloatArray:
    """Mean score of each point under each resample.

    Parameters
    ----------
    scores
        (k, P, m), samples of a prompt already averaged.
    counts
        (b, P), from `resample_counts`.

    Returns
    -------
    (b, k, m).
    """
    array = as_finite(scores, "scores")
    if array.ndim != 3 or array.shape[1] != counts.shape[1]:
        raise MetricError(
            f"scores: have shape {array.shape} for counts of {counts.shape[1]} prompts; "
            "give (points, prompts, objectives)"
        )
    # (b, P) with (k, P, m), summed over prompts
    return np.tensordot(counts / counts.shape[1], array, axes=(1, 1))


def resample_seeds(replicates: npt.ArrayLike, seed: int) -> FloatArray:
    """Resample training seeds on top of prompts: the outer level of the bootstrap.

    Parameters
    ----------
    replicates
        (s, b), one metric's replicates for each of s training seeds, same prompts per column.

    Returns
    -------
    (b,): in each replicate the mean over s seeds drawn with replacement. The draw depends on
    s, b and `seed` alone, so methods trained with the same seeds stay paired.
    """
    array = as_finite(replicates, "replicates")
    if array.ndim != 2:
        raise MetricError(f"replicates: have shape {array.shape}; give (seeds, replicates)")
    drawn = np.random.default_rng(seed).integers(len(array), size=array.shape)
    return np.asarray(np.take_along_axis(array, drawn, axis=0).mean(axis=0))


def percentile_interval(replicates: npt.ArrayLike, level: float = 0.95) -> Interval:
    """Interval between the replicates' own quantiles.

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


def reflected_interval(estimate: float, replicates: npt.ArrayLike, level: float = 0.95) -> Interval:
    """Reflected (basic) interval: 2 · estimate − the replicates' quantiles, ends exchanged.

    Moves against the bias that resampling adds (Davison and Hinkley 1997, §5.2). Parameters as
    in `percentile_interval`.
    """
    centre = float(as_finite(estimate, "estimate"))
    low, high = percentile_interval(replicates, level)
    return Interval(2 * centre - high, 2 * centre - low)


def probability_better(a_replicates: npt.ArrayLike, b_replicates: npt.ArrayLike) -> float:
    """Share of paired replicates in which a is higher than b, ties counting one half.

    Parameters
    ----------
    a_replicates, b_replicates
        (b,), from the same resamples.
    """
    a = as_vector(a_replicates, "a_replicates")
    b = as_vector(b_replicates, "b_replicates", length=len(a))
    return float((a > b).mean() + (a == b).mean() / 2)
