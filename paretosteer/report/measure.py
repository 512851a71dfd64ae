"""Metrics of the rows of one table, from their points: per seed, then the mean over seeds.

The union front is that of all points of all rows, every seed's, so that no ratio exceeds 1 and
no loss is below 0. `dominated_by` compares rows at their means over seeds.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np

from paretosteer import metrics
from paretosteer.metrics.checks import FloatArray

Figures = dict[str, Any]


def measure(
    rows: Sequence[FloatArray],
    preferences: FloatArray,
    reference: Sequence[float],
    names: Sequence[str],
) -> list[Figures]:
    """Measure every row of a table.

    Parameters
    ----------
    rows
        One (seeds, k, m) array per row; seeds may differ in number.
    preferences
        (k, m), the same for all rows.
    reference
        (m,).
    names
        m names of objectives, which end the names of figures given per objective.

    Returns
    -------
    For each row its figures by column of the leaderboard; those that are not defined on these
    preferences are left out.
    """
    union = union_front(rows)
    means = np.stack([row.mean(axis=0) for row in rows])  # (rows, k, m)
    return [
        {
            **_over_seeds(row, lambda points: _of_points(points, preferences, reference)),
            **_over_seeds(row, lambda points: _against(points, union, preferences, reference)),
            **_over_seeds(row, lambda points: _steering(points, preferences, names)),
            **_contribution(rows, place, reference),
            "dominated_by": int(beaten),
        }
        for place, (row, beaten) in enumerate(zip(rows, metrics.dominated_by(means), strict=True))
    ]


def union_front(rows: Sequence[FloatArray]) -> FloatArray:
    """Nondominated points (n, m) among all rows' points (seeds, k, m)."""
    points = np.concatenate([row.reshape(-1, row.shape[-1]) for row in rows])
    return points[metrics.nondominated(points)]


def hypervolumes(row: FloatArray, reference: Sequence[float]) -> float:
    """Mean over seeds of the hypervolume of points (seeds, k, m)."""
    return float(np.mean([metrics.hypervolume(points, reference) for points in row]))


def _over_seeds(row: FloatArray, figures: Callable[[FloatArray], Mapping[str, float]]) -> Figures:
    each = [figures(points) for points in row]
    return {name: float(np.mean([one[name] for one in each])) for name in each[0]}


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
    points: FloatArray, union: FloatArray, preferences: FloatArray, reference: Sequence[float]
) -> Mapping[str, float]:
    loss = metrics.utility_loss(preferences, points, union)
    figures = {
        "utility_loss": loss.mean,
        "utility_loss_max": loss.maximum,
        "igd_plus": metrics.igd_plus(points, union),
        "additive_epsilon": metrics.additive_epsilon(points, union),
    }
    if metrics.points_outside(union, reference) < len(union):
        figures["hypervolume_ratio"] = metrics.hypervolume_ratio(points, union, reference)
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
        "order_agreement": metrics.order_agreement(preferences, points),
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


def _contribution(rows: Sequence[FloatArray], place: int, reference: Sequence[float]) -> Figures:
    flat = [row.reshape(-1, row.shape[-1]) for row in rows]
    others = [points for other, points in enumerate(flat) if other != place]
    lost = metrics.contribution(flat[place], np.concatenate(others) if others else [], reference)
    return {"contribution": lost.volume, "contribution_points": lost.points}
