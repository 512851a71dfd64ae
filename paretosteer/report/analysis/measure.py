"""Metrics of the rows of one table, from their points: per replicate, then the mean.

Replicates are seeds, cross-validation folds, or both. The union front is that of all points of
all rows, every seed's, so that no ratio exceeds 1 and no loss is below 0; each fold, measured on
prompts and in units of its own, has its own. `dominated_by` compares rows at their means.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np

from paretosteer import metrics
from paretosteer.metrics.input_checks import FloatArray
from paretosteer.plugins.row_metrics import measured
from paretosteer.report.analysis.workers import Map

Figures = dict[str, Any]
Fronts = Mapping[int | None, FloatArray]


@dataclass(frozen=True)
class Points:
    """A row's points: `values` (replicates, k, m), and the fold of each, None without folds."""

    values: FloatArray
    folds: Sequence[int | None]

    def of(self, fold: int | None) -> FloatArray:
        """The points of all seeds in one fold, (n, m)."""
        own = [each == fold for each in self.folds]
        return self.values[own].reshape(-1, self.values.shape[-1])

    @property
    def mean(self) -> FloatArray:
        """Mean over replicates, (k, m)."""
        return self.values.mean(axis=0)


def measure(
    rows: Sequence[Points],
    preferences: FloatArray,
    reference: Sequence[float],
    names: Sequence[str],
    fronts: Fronts,
    spread: Map = map,
) -> list[Figures]:
    """Measure every row of a table.

    Parameters
    ----------
    rows
        The points of each row; replicates may differ in number.
    preferences
        (k, m), the same for all rows.
    reference
        (m,).
    names
        m names of objectives, which end the names of figures given per objective.
    fronts
        By fold, the front (n, m) that ratio and losses are against: the oracle's or the union's.
    spread
        The `map` that goes over rows.

    Returns
    -------
    For each row its figures by column of the leaderboard; those that are not defined on these
    preferences are left out.
    """
    beaten = metrics.dominated_by(np.stack([row.mean for row in rows]))  # (rows,)
    alone = spread(partial(_alone, preferences, reference, names, fronts), rows)
    return [
        {**own, **_contribution(rows, place, reference), "dominated_by": int(by)}
        for place, (own, by) in enumerate(zip(alone, beaten, strict=True))
    ]


def _alone(
    preferences: FloatArray,
    reference: Sequence[float],
    names: Sequence[str],
    fronts: Fronts,
    row: Points,
) -> Figures:
    """The figures of a row that depend on no other row but through the front."""
    return {
        **_means(row, lambda points, _: _of_points(points, preferences, reference)),
        **_means(row, lambda points, fold: _against(points, fronts[fold], preferences, reference)),
        **_means(row, lambda points, _: _steering(points, preferences, names)),
        **_means(row, lambda points, _: measured(points, preferences, reference)),
    }


def union_fronts(rows: Sequence[Points]) -> dict[int | None, FloatArray]:
    """By fold, the nondominated points (n, m) among those of all rows."""
    folds = dict.fromkeys(fold for row in rows for fold in row.folds)
    return {fold: _front(np.concatenate([row.of(fold) for row in rows])) for fold in folds}


def shown_front(rows: Sequence[Points]) -> FloatArray:
    """The one union front (n, m) to draw: of all points, or of the means where there are folds."""
    fronts = union_fronts(rows)
    if len(fronts) == 1:
        return next(iter(fronts.values()))
    return _front(np.concatenate([row.mean for row in rows]))


def hypervolumes(points: FloatArray, reference: Sequence[float]) -> FloatArray:
    """Hypervolume of each replicate's points (replicates, k, m)."""
    return np.array([metrics.hypervolume(each, reference) for each in points])


def _front(points: FloatArray) -> FloatArray:
    return points[metrics.nondominated(points)]


def _means(
    row: Points, figures: Callable[[FloatArray, int | None], Mapping[str, float]]
) -> Figures:
    """Means over replicates of the figures that all of them have."""
    each = [figures(points, fold) for points, fold in zip(row.values, row.folds, strict=True)]
    names = [name for name in each[0] if all(name in one for one in each)]
    return {name: float(np.mean([one[name] for one in each])) for name in names}


def _of_points(
    points: FloatArray, preferences: FloatArray, reference: Sequence[float]
) -> Mapping[str, float]:
    volume = metrics.hypervolume_with_error(points, reference)
    return {
        "hypervolume": volume.value,
        "hypervolume_error": volume.error,
        "steering_regret": metrics.steering_regret(preferences, points),
        "expected_utility": metrics.expected_utility(preferences, points),
        "front_size": metrics.front_size(points),
        "points_outside": metrics.points_outside(points, reference),
    }


def _against(
    points: FloatArray, front: FloatArray, preferences: FloatArray, reference: Sequence[float]
) -> Mapping[str, float]:
    loss = metrics.utility_loss(preferences, points, front)
    figures = {
        "utility_loss": loss.mean,
        "utility_loss_max": loss.maximum,
        "igd_plus": metrics.igd_plus(points, front),
        "additive_epsilon": metrics.additive_epsilon(points, front),
    }
    if metrics.points_outside(front, reference) < len(front):
        figures["hypervolume_ratio"] = metrics.hypervolume_ratio(points, front, reference)
    return figures


def _steering(
    points: FloatArray, preferences: FloatArray, names: Sequence[str]
) -> Mapping[str, float]:
    if not steerable(preferences):
        return {}
    by_objective = metrics.somers_d(preferences, points)  # (m,)
    falls = metrics.monotonicity(preferences, points)
    return {
        "controllability": by_objective.mean(),
        **{f"controllability_{name}": d for name, d in zip(names, by_objective, strict=True)},
        "order_agreement": (by_objective.mean() + 1) / 2,
        "spearman": metrics.spearman(preferences, points).mean(),
        "kendall_tau_b": metrics.kendall_tau_b(preferences, points).mean(),
        "violations": falls.violations,
        "largest_backtrack": falls.largest_backtrack,
        **_ranges(points, preferences, names),
    }


def steerable(preferences: FloatArray) -> bool:
    """Whether every objective's weight varies, without which there is no order to agree with."""
    return bool((np.ptp(preferences, axis=0) > 1e-9).all())


def _ranges(
    points: FloatArray, preferences: FloatArray, names: Sequence[str]
) -> Mapping[str, float]:
    if not (np.round(preferences, 9) == 1).any(axis=0).all():  # a vertex is not in the grid
        return {}
    ranges = metrics.steering_range(preferences, points)
    return {f"range_{name}": value for name, value in zip(names, ranges, strict=True)}


def _contribution(rows: Sequence[Points], place: int, reference: Sequence[float]) -> Figures:
    """What the row adds to each of its folds' union fronts: mean volume, points altogether."""
    others = [row for other, row in enumerate(rows) if other != place]
    lost = [
        metrics.contribution(
            rows[place].of(fold),
            np.concatenate([row.of(fold) for row in others]) if others else [],
            reference,
        )
        for fold in dict.fromkeys(rows[place].folds)
    ]
    return {
        "contribution": float(np.mean([each.volume for each in lost])),
        "contribution_points": sum(each.points for each in lost),
    }
