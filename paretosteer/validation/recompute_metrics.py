"""Metrics of a table again, from points that were made again."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from paretosteer import metrics
from paretosteer.interfaces import Array

_GAIN = 1e-6  # standard units; below it an oracle has nothing to teach


@dataclass(frozen=True)
class Replicate:
    """A cell in its row: points (k, m) by ascending preference, and the oracle's, if any."""

    fold: int | None
    points: Array
    best: Array | None
    start: Array | None


@dataclass(frozen=True)
class Frame:
    """What the rows of a table share: preferences (k, m), reference (m,), whose front counts."""

    preferences: Array
    reference: Sequence[float]
    oracle: bool


def measured(rows: Sequence[Sequence[Replicate]], frame: Frame) -> list[dict[str, float]]:
    """Figures of every row, means over its replicates, by column of the leaderboard."""
    fronts = _fronts(rows, frame)
    beaten = metrics.dominated_by(np.stack([_mean(row) for row in rows]))
    taught = _taught(rows, frame) if frame.oracle else []
    return [
        {
            **_average([_figures(each, fronts[each.fold], frame) for each in row]),
            **({"oracle_regret": _regret(row, taught, frame)} if taught else {}),
            "dominated_by": float(by),
        }
        for row, by in zip(rows, beaten, strict=True)
    ]


def _figures(each: Replicate, front: Array, frame: Frame) -> dict[str, float]:
    mu, points = frame.preferences, each.points
    loss = metrics.utility_loss(mu, points, front)
    figures = {
        "hypervolume": metrics.hypervolume(points, frame.reference),
        "utility_loss": loss.mean,
        "utility_loss_max": loss.maximum,
        "steering_regret": metrics.steering_regret(mu, points),
        "expected_utility": metrics.expected_utility(mu, points),
        "igd_plus": metrics.igd_plus(points, front),
        "additive_epsilon": metrics.additive_epsilon(points, front),
    }
    if (whole := metrics.hypervolume(front, frame.reference)) > 0:
        figures["hypervolume_ratio"] = figures["hypervolume"] / whole
    if (np.ptp(mu, axis=0) > 1e-9).all():
        figures["controllability"] = metrics.controllability(mu, points)
    return figures


def _fronts(rows: Sequence[Sequence[Replicate]], frame: Frame) -> dict[int | None, Array]:
    """By fold, the oracle's points or what no point of any row dominates."""
    everything = [each for row in rows for each in row]
    fronts = {}
    for fold in {each.fold for each in everything}:
        own = [each for each in everything if each.fold == fold]
        if frame.oracle:
            assert own[0].best is not None
            fronts[fold] = own[0].best
        else:
            points = np.concatenate([each.points for each in own])
            fronts[fold] = points[metrics.nondominated(points)]
    return fronts


def _taught(rows: Sequence[Sequence[Replicate]], frame: Frame) -> list[int]:
    """Places of the preferences at which every fold's oracle beats the start model."""
    gains = [
        (frame.preferences * (each.best - each.start)).sum(axis=1)
        for row in rows
        for each in row
        if each.best is not None and each.start is not None
    ]
    return [int(place) for place in np.flatnonzero(np.min(gains, axis=0) > _GAIN)]


def _regret(row: Sequence[Replicate], places: list[int], frame: Frame) -> float:
    mu = frame.preferences[places]
    shares = [
        (mu * (each.best[places] - each.points[places])).sum(axis=1)
        / (mu * (each.best[places] - each.start)).sum(axis=1)
        for each in row
        if each.best is not None and each.start is not None
    ]
    return float(np.mean(shares))


def _mean(row: Sequence[Replicate]) -> Array:
    return np.mean([each.points for each in row], axis=0)


def _average(each: Sequence[dict[str, float]]) -> dict[str, float]:
    names = [name for name in each[0] if all(name in one for one in each)]
    return {name: float(np.mean([one[name] for one in each])) for name in names}
