"""Confidence intervals by paired bootstrap over prompts, and over replicates if there are enough.

All rows and points of a table share the resamples of the prompts, drawn separately for each fold,
because folds have different prompts. If every row has enough folds (or, without folds, seeds),
these are resampled too; rows with the same replicates share the draws. Few prompts or replicates
underestimate the spread of their mean, so the draws of both are scaled to a Student's t
distribution.

The kind of interval depends on the quantity:

- Hypervolume is a convex function of noisy points, so its resamples are biased upwards. It has the
  reflected (basic) interval.
- Noise disorders the points and inflates the best of them, so controllability and steering regret
  have intervals of their own, see `steering_intervals`.
- All other quantities have percentile intervals.

`results/reference/coverage.md` reports the coverage of these intervals.

Oracle regret is relative to an oracle known only as a mean over the test prompts. Resampling the
method's prompts but not the oracle's would count prompt variance as regret, so its intervals cover
replicates only.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property, lru_cache
from typing import NamedTuple, TypeAlias
from zlib import crc32

import numpy as np
from numpy.typing import ArrayLike

from paretosteer import metrics
from paretosteer.metrics.input_checks import FloatArray
from paretosteer.metrics.measure import Figures, Frame
from paretosteer.metrics.row_metric import RowMetric
from paretosteer.report.analysis.replicates import Replicate

Key: TypeAlias = tuple[int, int]  # fold, seed

RESAMPLES = 2000

_DECIMALS = 9  # differences beyond this digit are rounding, so such rows are equal

# Inputs that a resample of the prompts provides; a metric that needs others has no interval.
_RESAMPLED = {"points", "preferences", "reference", "exact"}
_GENERAL = ("reflected", "symmetric", "percentile")

# With fewer folds (or seeds), intervals do not cover the variance between them.
ENOUGH = 5


@dataclass(frozen=True)
class Band:
    """Estimates with the ends of their intervals, all of one shape; NaN without an interval."""

    mean: FloatArray
    low: FloatArray
    high: FloatArray


@dataclass(frozen=True)
class Level:
    """Mean of a quantity over the preferences with the same weight of one objective."""

    weight: float
    mean: float
    low: float
    high: float


@dataclass(frozen=True)
class Draws:
    """A row's points under each resample of the prompts."""

    points: FloatArray  # (replicates, resamples, k, m)
    keys: tuple[Key, ...]  # of the replicates
    outer: bool  # whether replicates are resampled too

    @cached_property
    def mean_points(self) -> FloatArray:
        """Mean over replicates, (resamples, k, m)."""
        return self.mean(self.points)

    def each(self, figure: Callable[[FloatArray], FloatArray]) -> FloatArray:
        """Apply `figure` to each replicate's points (resamples, k, m) and stack the results."""
        return np.stack([figure(points) for points in self.points])

    def mean(self, values: FloatArray) -> FloatArray:
        """Means (resamples, …) over replicates of values (replicates, resamples, …)."""
        return _means(values, self.keys, self.outer)

    def outer_mean(self, values: FloatArray) -> FloatArray | None:
        """Means (resamples, …) of values (replicates, …), resampling replicates but not prompts.

        None if replicates are not resampled.
        """
        if not self.outer:
            return None
        return np.tensordot(_shares(self.keys), _by_unit(values, self.keys), axes=(1, 0))


@dataclass(frozen=True)
class Volumes:
    """Hypervolumes of a row's replicates."""

    estimates: FloatArray  # (replicates,)
    draws: FloatArray  # (replicates, resamples)
    keys: tuple[Key, ...]  # of the replicates

    def at(self, keys: Sequence[Key]) -> "Volumes":
        """Volumes of a subset of the replicates."""
        indices = [self.keys.index(key) for key in keys]
        return Volumes(self.estimates[indices], self.draws[indices], tuple(keys))

    @property
    def mean(self) -> float:
        """Mean over replicates."""
        return round(float(self.estimates.mean()), _DECIMALS)

    def resampled(self, outer: bool) -> FloatArray:
        """Mean over replicates under each resample, (resamples,)."""
        return np.round(_means(self.draws, self.keys, outer), _DECIMALS)


class Gap(NamedTuple):
    """Difference in hypervolume between two rows."""

    estimate: float
    draws: FloatArray  # (resamples,)
    interval: metrics.Interval


def resample(replicates: Sequence[Replicate], outer: bool) -> Draws:
    """Resample the prompts of a row's replicates."""
    return Draws(
        points=np.stack(
            [metrics.resampled_means(each.scores, _weights(each)) for each in replicates]
        ),
        keys=tuple(each.key for each in replicates),
        outer=outer,
    )


def prompt_means(
    replicates: Sequence[Replicate], values: Sequence[FloatArray], outer: bool
) -> FloatArray:
    """Mean (resamples,) over replicates and prompts of one value per prompt (P,) of each."""
    pairs = zip(replicates, values, strict=True)
    drawn = np.stack([_weights(each) @ own / len(own) for each, own in pairs])
    return _means(drawn, [each.key for each in replicates], outer)


def volumes(
    points: FloatArray, draws: Draws, reference: ArrayLike, exact: bool | None = None
) -> Volumes:
    """Hypervolumes of a row's points (replicates, k, m) and their resamples.

    `exact` says whether those of the table are exact; by default this row's decide.
    """
    if exact is None:
        exact = metrics.affordable(points)
    estimates = np.array([metrics.hypervolume(each, reference, exact) for each in points])
    resampled = draws.each(lambda each: metrics.hypervolume_many(each, reference, exact))
    return Volumes(estimates, resampled, draws.keys)


def intervals(
    chosen: Sequence[RowMetric], draws: Draws, own: Volumes, points: FloatArray, frame: Frame
) -> Figures:
    """Intervals of the metrics that are computed from points alone.

    `points` are the row's, (replicates, k, m), and `own` their hypervolumes.
    """
    ends: Figures = {}
    for metric in chosen:
        if metric.interval in _GENERAL and metric.function and set(metric.needs) <= _RESAMPLED:
            interval = _interval(metric, draws, own, points, frame)
            if interval:
                least, most = metric.bounds
                ends[f"{metric.name}_low"] = max(interval.low, least)
                ends[f"{metric.name}_high"] = min(interval.high, most)
    return ends


def _interval(
    metric: RowMetric, draws: Draws, own: Volumes, points: FloatArray, frame: Frame
) -> metrics.Interval | None:
    """Interval of a metric's mean over replicates; None if it is undefined."""
    if metric.name == "hypervolume":
        known, resampled = own.estimates.mean(), draws.mean(own.draws)
    else:
        estimates = _values(metric, points, frame)
        drawn = draws.each(lambda each: _values(metric, each, frame))
        if not (np.isfinite(estimates).all() and np.isfinite(drawn).all()):
            return None
        known, resampled = float(estimates.mean()), draws.mean(drawn)
    if metric.interval == "percentile":
        return metrics.percentile_interval(resampled)
    if metric.interval == "reflected":
        return metrics.reflected_interval(known, resampled)
    return metrics.symmetric_interval(known, resampled)


def _values(metric: RowMetric, points: FloatArray, frame: Frame) -> FloatArray:
    """Metric of each set of points (n, k, m), (n,); NaN where it is undefined."""
    assert metric.function  # metrics with an interval have one
    inputs = {
        "points": points,
        "preferences": frame.preferences,
        "reference": frame.reference,
        "exact": frame.exact,
    }
    value = metric.function(*(inputs[need] for need in metric.needs))
    return np.asarray(np.nan if value is None else value, dtype=float)


def gap(first: Volumes, second: Volumes, outer: bool) -> Gap | None:
    """Difference in hypervolume over the replicates that both rows have.

    None if there are none, or too few to be resampled if `outer`.
    """
    both = [key for key in first.keys if key in second.keys]
    if not both or (outer and not enough(both)):
        return None
    one, other = first.at(both), second.at(both)
    # Subtract before averaging: both rows have the same prompts, so their noise partly cancels.
    difference = Volumes(one.estimates - other.estimates, one.draws - other.draws, tuple(both))
    draws = difference.resampled(outer)
    return Gap(difference.mean, draws, metrics.reflected_interval(difference.mean, draws))


def band(estimates: FloatArray, draws: FloatArray | None) -> Band:
    """Estimates (…) with percentile intervals from their draws (resamples, …)."""
    means = np.asarray(estimates)
    if draws is None:
        return Band(means, np.full(means.shape, np.nan), np.full(means.shape, np.nan))
    level = metrics.LEVEL
    low, high = np.quantile(draws, [(1 - level) / 2, (1 + level) / 2], axis=0)
    return Band(means, low, high)


def levels(estimates: FloatArray, draws: FloatArray | None, weights: FloatArray) -> list[Level]:
    """A quantity at each weight of one objective, in ascending order of the weight.

    Parameters
    ----------
    estimates
        (k,), one per preference.
    draws
        (resamples, k), or None.
    weights
        (k,), the objective's weight in each preference.

    """
    rounded = metrics.round_weights(weights)
    result = []
    for weight in np.unique(rounded):
        at = rounded == weight
        mean = estimates[at].mean()
        one = band(mean, None if draws is None else draws[:, at].mean(axis=1))
        result.append(Level(float(weight), float(mean), float(one.low), float(one.high)))
    return result


def _weights(replicate: Replicate) -> FloatArray:
    # The fold is the seed: rows share the draws of a fold, and different folds are independent.
    return _draw(replicate.scores.shape[1], replicate.fold or 0)


@lru_cache(maxsize=8)  # as many as a row has folds; drawing costs more than using the weights
def _draw(prompts: int, seed: int) -> FloatArray:
    if prompts == 1:
        return np.ones((RESAMPLES, 1))
    return prompts * metrics.resampled_shares(prompts, RESAMPLES, seed)


def _means(values: FloatArray, keys: Sequence[Key], outer: bool) -> FloatArray:
    """Means (resamples, …) over replicates of values (replicates, resamples, …)."""
    if not outer:
        return values.mean(axis=0)
    return metrics.nested_means(_by_unit(values, keys), _shares(keys))


def units(keys: Sequence[Key]) -> list[Key]:
    """Units that are resampled besides the prompts: folds if there are several, else seeds.

    Seeds of the same fold share its queries and normaliser. Treating them as independent would make
    the intervals too short.
    """
    folds = list(dict.fromkeys(fold for fold, _ in keys))
    return [(fold, -1) for fold in folds] if len(folds) > 1 else list(keys)


def enough(keys: Sequence[Key]) -> bool:
    """True if there are enough units to resample them."""
    return len(units(keys)) >= ENOUGH


def _by_unit(values: FloatArray, keys: Sequence[Key]) -> FloatArray:
    """Aggregate values (replicates, …) to (units, …), preserving the overall mean."""
    groups = units(keys)
    if len(groups) == len(keys):
        return values
    folds = np.array([fold for fold, _ in keys])
    sums = np.stack([values[folds == fold].sum(axis=0) for fold, _ in groups])
    aggregated: FloatArray = sums * len(groups) / len(keys)
    return aggregated


def _shares(keys: Sequence[Key]) -> FloatArray:
    """Weight of each unit in each resample, (resamples, units)."""
    return _shares_of(tuple(units(keys)))


@lru_cache(maxsize=8)  # most rows of a table have the same units
def _shares_of(groups: tuple[Key, ...]) -> FloatArray:
    # Seeded by the keys alone, so that rows with the same replicates share the draws.
    return metrics.resampled_shares(len(groups), RESAMPLES, crc32(repr(list(groups)).encode()))
