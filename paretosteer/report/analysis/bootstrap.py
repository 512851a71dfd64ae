"""Intervals by paired bootstrap over prompts, and over replicates where there are enough.

Prompts are resampled once for all rows and points of a table, in each fold on their own, since
folds have different prompts. With enough folds, or else seeds, in every row these are resampled
too, with one draw for all rows that have the same ones, and so that the spread of their mean is
Student's t, since so few of them do not show it themselves. Hypervolume is a convex function of
noisy points, so its resamples are biased upwards and its interval is the reflected one. Noise
disorders points, which moves controllability and steering regret away from their bounds: their
intervals reach as far to both sides as percentiles do to the further. All else has percentile
intervals. What they cover is in `results/reference/coverage.md`.

Regret is against an oracle known as a mean over just these prompts. Resampling the prompts of a
method but not the oracle's would take their spread for regret, so its intervals are over
replicates alone.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import NamedTuple, TypeAlias
from zlib import crc32

import numpy as np
import numpy.typing as npt

from paretosteer import metrics
from paretosteer.metrics.input_checks import FloatArray
from paretosteer.metrics.measure import Figures, Frame
from paretosteer.metrics.row_metric import RowMetric
from paretosteer.report.analysis.replicates import Replicate

Key: TypeAlias = tuple[int, int]  # fold, seed

RESAMPLES = 2000

# Differences below this are rounding, and two rows that differ by no more are equal.
_DECIMALS = 9

# What the resamples of a row's prompts give, and intervals can be made of.
_RESAMPLED = {"points", "preferences", "reference"}

# Below this many folds, or else seeds, nothing is said about how another would have come out.
ENOUGH = 5


@dataclass(frozen=True)
class Band:
    """Estimates with the ends of their intervals, all of one shape; NaN where there is none."""

    mean: FloatArray
    low: FloatArray
    high: FloatArray


@dataclass(frozen=True)
class Level:
    """Mean of a quantity over the preferences that give an objective one weight, as in `Band`."""

    weight: float
    mean: float
    low: float
    high: float


@dataclass(frozen=True)
class Draws:
    """A row's points under each resample of the prompts, (replicates, resamples, k, m).

    `keys` tell the replicates apart; `outer` says whether they too are resampled.
    """

    points: FloatArray
    keys: tuple[Key, ...]
    outer: bool

    def each(self, figure: Callable[[FloatArray], FloatArray]) -> FloatArray:
        """A figure of each replicate's points (resamples, k, m), stacked."""
        return np.stack([figure(points) for points in self.points])

    def mean(self, values: FloatArray) -> FloatArray:
        """Means (resamples, …) over replicates of values (replicates, resamples, …)."""
        return _means(values, self.keys, self.outer)

    def outer_mean(self, values: FloatArray) -> FloatArray | None:
        """Means (resamples, …) of values (replicates, …) in which no prompt is resampled.

        None where replicates are not resampled.
        """
        if not self.outer:
            return None
        return np.tensordot(_shares(self.keys), _by_unit(values, self.keys), axes=(1, 0))


@dataclass(frozen=True)
class Volumes:
    """Hypervolume of a row's replicates: estimates (replicates,), draws (replicates, resamples)."""

    estimates: FloatArray
    draws: FloatArray
    keys: tuple[Key, ...]

    def at(self, keys: Sequence[Key]) -> "Volumes":
        """Of some of the replicates."""
        places = [self.keys.index(key) for key in keys]
        return Volumes(self.estimates[places], self.draws[places], tuple(keys))

    @property
    def mean(self) -> float:
        """Mean over replicates."""
        return round(float(self.estimates.mean()), _DECIMALS)

    def resampled(self, outer: bool) -> FloatArray:
        """Mean over replicates under each resample, (resamples,)."""
        return np.round(_means(self.draws, self.keys, outer), _DECIMALS)


class Gap(NamedTuple):
    """By how much one row's hypervolume is above another's; draws are (resamples,)."""

    estimate: float
    draws: FloatArray
    interval: metrics.Interval


def resample(replicates: Sequence[Replicate], outer: bool) -> Draws:
    """Resample the prompts of a row's replicates."""
    return Draws(
        points=np.stack(
            [metrics.resampled_means(each.scores, _counts(each)) for each in replicates]
        ),
        keys=tuple(each.key for each in replicates),
        outer=outer,
    )


def volumes(points: FloatArray, draws: Draws, reference: npt.ArrayLike) -> Volumes:
    """Hypervolumes of a row's points (replicates, k, m) and their resamples."""
    estimates = np.array([metrics.hypervolume(each, reference) for each in points])
    resampled = draws.each(lambda each: metrics.hypervolume_many(each, reference))
    return Volumes(estimates, resampled, draws.keys)


def intervals(
    chosen: Sequence[RowMetric], draws: Draws, own: Volumes, points: FloatArray, frame: Frame
) -> Figures:
    """Ends of the intervals of the metrics that need no more than points, and have one.

    `points` are the row's, (replicates, k, m), and `own` their hypervolumes.
    """
    ends: Figures = {}
    for metric in chosen:
        if metric.interval and metric.function and set(metric.needs) <= _RESAMPLED:
            interval = _interval(metric, draws, own, points, frame)
            if interval:
                least, most = metric.bounds
                ends[f"{metric.name}_low"] = max(interval.low, least)
                ends[f"{metric.name}_high"] = min(interval.high, most)
    return ends


def _interval(
    metric: RowMetric, draws: Draws, own: Volumes, points: FloatArray, frame: Frame
) -> metrics.Interval | None:
    """Interval of a metric around its mean over replicates; None where it is not defined."""
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
    """A metric of sets of points (n, k, m), (n,); NaN where it is not defined."""
    assert metric.function  # of a metric with an interval
    inputs = {"points": points, "preferences": frame.preferences, "reference": frame.reference}
    value = metric.function(*(inputs[need] for need in metric.needs))
    return np.asarray(np.nan if value is None else value, dtype=float)


def gap(first: Volumes, second: Volumes, outer: bool) -> Gap | None:
    """The difference in hypervolume over the replicates that both have.

    None without such, or with too few of them to resample where that is done.
    """
    both = [key for key in first.keys if key in second.keys]
    if not both or (outer and not enough(both)):
        return None
    one, other = first.at(both), second.at(both)
    difference = Volumes(one.estimates - other.estimates, one.draws - other.draws, tuple(both))
    draws = difference.resampled(outer)
    return Gap(difference.mean, draws, metrics.reflected_interval(difference.mean, draws))


def band(estimates: FloatArray, draws: FloatArray | None) -> Band:
    """Estimates (…) with percentile intervals from their draws (resamples, …)."""
    known = np.asarray(estimates)
    if draws is None:
        return Band(known, np.full(known.shape, np.nan), np.full(known.shape, np.nan))
    level = metrics.LEVEL
    low, high = np.quantile(draws, [(1 - level) / 2, (1 + level) / 2], axis=0)
    return Band(known, low, high)


def levels(estimates: FloatArray, draws: FloatArray | None, weights: FloatArray) -> list[Level]:
    """A quantity at each weight of one objective, ascending.

    Parameters
    ----------
    estimates
        (k,), one per preference.
    draws
        (resamples, k), or none.
    weights
        (k,), the objective's in each preference.
    """
    rounded = np.round(weights, 9)
    made = []
    for weight in np.unique(rounded):
        at = rounded == weight
        mean = estimates[at].mean()
        one = band(mean, None if draws is None else draws[:, at].mean(axis=1))
        made.append(Level(float(weight), float(mean), float(one.low), float(one.high)))
    return made


def _counts(replicate: Replicate) -> npt.NDArray[np.int64]:
    """The same draws for the same fold in every row, and other folds' independent of them."""
    return _drawn(replicate.scores.shape[1], replicate.fold or 0)


@lru_cache(maxsize=8)  # a row's folds; the draw takes longer than what is done with it
def _drawn(prompts: int, seed: int) -> npt.NDArray[np.int64]:
    return metrics.resample_counts(prompts, RESAMPLES, seed)


def _means(values: FloatArray, keys: Sequence[Key], outer: bool) -> FloatArray:
    """Means (resamples, …) over replicates of values (replicates, resamples, …)."""
    if not outer:
        return values.mean(axis=0)
    return metrics.nested_means(_by_unit(values, keys), _shares(keys))


def units(keys: Sequence[Key]) -> list[Key]:
    """What is resampled beside the prompts: folds where there are several, else seeds.

    Seeds of a fold share its queries and normaliser, so they go with it: taken for independent
    they would make intervals too short.
    """
    folds = list(dict.fromkeys(fold for fold, _ in keys))
    return [(fold, -1) for fold in folds] if len(folds) > 1 else list(keys)


def enough(keys: Sequence[Key]) -> bool:
    """Whether there are so many units that another one can be spoken of."""
    return len(units(keys)) >= ENOUGH


def _by_unit(values: FloatArray, keys: Sequence[Key]) -> FloatArray:
    """Values (replicates, …) as one each of the units, whose mean is that of the replicates."""
    found = units(keys)
    if len(found) == len(keys):
        return values
    folds = np.array([fold for fold, _ in keys])
    sums = np.stack([values[folds == fold].sum(axis=0) for fold, _ in found])
    together: FloatArray = sums * len(found) / len(keys)
    return together


def _shares(keys: Sequence[Key]) -> FloatArray:
    """What share each unit has in each resample of them, (resamples, units)."""
    return _shares_of(tuple(units(keys)))


@lru_cache(maxsize=8)  # rows of a table mostly have the same units
def _shares_of(found: tuple[Key, ...]) -> FloatArray:
    # From the keys alone, so that rows with the same replicates get the same draws.
    return metrics.resampled_shares(len(found), RESAMPLES, crc32(repr(list(found)).encode()))
