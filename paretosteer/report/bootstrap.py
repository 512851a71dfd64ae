"""Intervals by paired bootstrap over prompts, the seeds taken as they are.

Prompts are resampled once for all rows and points of a table. Hypervolume is a convex function
of noisy points, so its replicates are biased upwards and its interval is the reflected one;
means and controllability have percentile intervals.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from paretosteer import metrics
from paretosteer.metrics.checks import FloatArray
from paretosteer.report.measure import Figures, steerable

RESAMPLES = 1000
LEVEL = 0.95
_SEED = 0


@dataclass(frozen=True)
class Band:
    """Estimates with the ends of their intervals, all of one shape."""

    mean: FloatArray
    low: FloatArray
    high: FloatArray


@dataclass(frozen=True)
class Level:
    """Response of one objective at one weight of it, averaged over the preferences that have it."""

    weight: float
    mean: float
    low: float
    high: float


def resample(seeds: Sequence[FloatArray]) -> FloatArray:
    """Points of each seed under each resample of the prompts.

    Parameters
    ----------
    seeds
        One (k, prompts, m) array per seed. Rows with equally many prompts get the same draws.

    Returns
    -------
    (seeds, resamples, k, m).
    """
    counts = metrics.resample_counts(seeds[0].shape[1], RESAMPLES, _SEED)
    return np.stack([metrics.resampled_means(scores, counts) for scores in seeds])


def intervals(
    figures: Figures, draws: FloatArray, preferences: FloatArray, reference: Sequence[float]
) -> Figures:
    """Ends of the intervals of a row's headline figures.

    Parameters
    ----------
    figures
        The row's estimates.
    draws
        (seeds, resamples, k, m).
    preferences, reference
        (k, m) and (m,).
    """
    volumes = np.stack([metrics.hypervolume_many(seed, reference) for seed in draws])
    volume = metrics.reflected_interval(figures["hypervolume"], volumes.mean(axis=0))
    regret = metrics.percentile_interval(metrics.steering_regret(preferences, draws).mean(axis=0))
    ends: Figures = {
        "hypervolume_low": max(volume.low, 0.0),  # reflection may go below what a volume can be
        "hypervolume_high": volume.high,
        "steering_regret_low": regret.low,
        "steering_regret_high": regret.high,
    }
    if steerable(preferences):
        replicates = metrics.controllability(preferences, draws).mean(axis=0)
        ends["controllability_low"], ends["controllability_high"] = metrics.percentile_interval(
            replicates
        )
    return ends


def point_band(row: FloatArray, draws: FloatArray) -> Band:
    """Mean over seeds of each point, (k, m), with percentile intervals.

    Parameters
    ----------
    row
        (seeds, k, m).
    draws
        (seeds, resamples, k, m).
    """
    low, high = _ends(draws.mean(axis=0))
    return Band(row.mean(axis=0), low, high)


def responses(row: FloatArray, draws: FloatArray, preferences: FloatArray) -> list[list[Level]]:
    """For each objective its response to its own weight, levels ascending; shapes as above."""
    return [
        _response(row.mean(axis=0)[:, i], draws.mean(axis=0)[..., i], np.round(weights, 9))
        for i, weights in enumerate(preferences.T)
    ]


def _response(values: FloatArray, draws: FloatArray, weights: FloatArray) -> list[Level]:
    levels = []
    for weight in np.unique(weights):
        at = weights == weight
        low, high = _ends(draws[:, at].mean(axis=1))
        levels.append(Level(float(weight), float(values[at].mean()), float(low), float(high)))
    return levels


def _ends(draws: FloatArray) -> tuple[FloatArray, FloatArray]:
    low, high = np.quantile(draws, [(1 - LEVEL) / 2, (1 + LEVEL) / 2], axis=0)
    return low, high
