"""Power of a comparison of two methods: seeds and prompts needed to tell a difference."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from statistics import NormalDist

import numpy as np
from numpy.typing import ArrayLike

from paretosteer.metrics.input_checks import MetricError, as_finite

SIGNIFICANCE, POWER = 0.05, 0.8


@dataclass(frozen=True)
class Variances:
    """Parts of the variance of a difference between two methods with n seeds and P prompts.

    Var = seeds / n + (shared + own / n) / P: training luck, prompts on which the methods differ
    whichever the seed, and noise of each seed's samples.
    """

    seeds: float
    shared: float
    own: float

    def error(self, seeds: int, prompts: int) -> float:
        """Standard error of the difference."""
        return float(np.sqrt(self.seeds / seeds + (self.shared + self.own / seeds) / prompts))

    def smallest(self, seeds: int, prompts: int, power: float = POWER) -> float:
        """Difference that a test at 5 % finds with the given power; infinite with one seed."""
        if seeds < 2:
            return float("inf")
        chance = NormalDist().inv_cdf(power)
        return (students_quantile(seeds - 1) + chance) * self.error(seeds, prompts)


def detectable(reach: float) -> float:
    """Difference found with 80 % power where the 95 % interval reaches so far on each side."""
    normal = NormalDist()
    return reach * (1 + normal.inv_cdf(POWER) / normal.inv_cdf(1 - SIGNIFICANCE / 2))


def variances(differences: ArrayLike, draws: ArrayLike, prompts: int) -> Variances:
    """Parts of the variance of a difference, estimated from recorded seeds.

    Parameters
    ----------
    differences
        (n,), of each seed, two at least.
    draws
        (n, b), the same under resamples of the prompts that all seeds share.
    prompts
        Number of prompts behind each difference.

    Raises
    ------
    MetricError
        If there is one seed only, which says nothing of others.
    """
    own, resampled = as_finite(differences, "differences"), as_finite(draws, "draws")
    if own.ndim != 1 or len(own) < 2:
        raise MetricError(
            f"differences: have shape {own.shape}; give those of at least two seeds, since one "
            "says nothing of the variance between seeds"
        )
    if resampled.ndim != 2 or len(resampled) != len(own):
        raise MetricError(
            f"draws: have shape {resampled.shape} for {len(own)} seeds; give (seeds, resamples)"
        )
    n = len(own)
    together = float(resampled.mean(axis=0).var())  # shared + noise / n, over P
    apart = float(resampled.var(axis=1).mean())  # shared + noise, over P
    shared = min(max((n * together - apart) / (n - 1), 0.0), apart)
    noise = apart - shared
    luck = max(float(own.var(ddof=1)) - noise, 0.0)
    return Variances(luck, shared * prompts, noise * prompts)


def needed(
    parts: Variances, difference: float, seeds: int, prompts: int, most: int
) -> tuple[int | None, int | None]:
    """Fewest seeds at these prompts, and fewest prompts at these seeds, that find a difference.

    None where even `most` are too few.
    """
    if not difference > 0:
        raise MetricError(f"difference: is {difference:g}; give a positive one")
    more_seeds = _first(lambda n: parts.smallest(n, prompts) <= difference, 2, most)
    more_prompts = _first(lambda n: parts.smallest(seeds, n) <= difference, 2, most)
    return more_seeds, more_prompts


def _first(holds: Callable[[int], bool], least: int, most: int) -> int | None:
    """Least number for which a condition holds that stays true from there on."""
    if not holds(most):
        return None
    while least < most:
        middle = (least + most) // 2
        least, most = (least, middle) if holds(middle) else (middle + 1, most)
    return least


def students_quantile(freedom: int) -> float:
    """Two-sided 5 % point of Student's t."""
    from scipy.special import stdtrit

    return float(stdtrit(freedom, 1 - SIGNIFICANCE / 2))
