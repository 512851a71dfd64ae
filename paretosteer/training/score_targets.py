"""Target scores that stand for a preference, and how a prompt states them.

After Rewards-in-Context (arXiv 2402.10207). Scores are normalised, higher is better. `low` and
`high` (m,) are the ends of the targets' range.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np

from paretosteer.errors import UsageError
from paretosteer.interfaces import Array

TargetMap = Literal["l2", "linf", "linear"]
NORMAL_DRAWS, NORMAL_SEED = 50_000, 8888  # of the published range


def preference_targets(mu: Array, low: Array, high: Array, form: TargetMap) -> Array:
    """Targets (k, m) of preferences (k, m); e_i gives the high end of i and the low end of others.

    `l2`: mu / |mu|_2 of the way from low to high. `linf`: high for the largest weight, and
    min(m mu, 1) of the way for the others. `linear`: mu of the way.
    """
    way = np.array(mu, dtype=float)
    if form == "l2":
        way /= np.linalg.norm(way, axis=1, keepdims=True)
    elif form == "linf":
        largest = way.argmax(axis=1)
        way = np.minimum(way.shape[1] * way, 1)
        way[np.arange(len(way)), largest] = 1
    return low + way * (high - low)


def edge_targets(rng: np.random.Generator, count: int, low: Array, high: Array) -> Array:
    """Random targets (count, m) on the edges of the box: all but one at the high end.

    A point is drawn uniformly from the box; all its coordinates but the smallest, relative to the
    range, are raised to the high end.
    """
    way = rng.random((count, len(low)))
    smallest = way.argmin(axis=1)[:, None]
    raised = np.ones_like(way)
    np.put_along_axis(raised, smallest, np.take_along_axis(way, smallest, axis=1), axis=1)
    return low + raised * (high - low)


def normal_range(objectives: int) -> tuple[Array, Array]:
    """Published range: the extremes of draws from a standard normal, seeded, for each objective."""
    draws = np.random.default_rng(NORMAL_SEED).normal(size=(NORMAL_DRAWS, objectives))
    return draws.min(axis=0), draws.max(axis=0)


@dataclass(frozen=True)
class TargetRange:
    """Range of the targets, from normalised training scores (examples, m).

    Attributes
    ----------
    kind
        `quantiles` of the scores; `gaussian`: the published extremes of normal draws.
    low, high
        The quantiles.
    outside
        What to do with a published extreme that no training score reaches.

    """

    kind: Literal["quantiles", "gaussian"]
    low: float
    high: float
    outside: Literal["refuse", "clip", "allow"]

    def ends(self, scores: Array, names: Sequence[str]) -> tuple[Array, Array]:
        """Low and high ends (m,); UsageError if they are to lie within the scores and do not."""
        if self.kind == "quantiles":
            low, high = np.quantile(scores, [self.low, self.high], axis=0)
            return low, high
        low, high = normal_range(len(names))
        least, most = scores.min(axis=0), scores.max(axis=0)
        if self.outside == "clip":
            return np.clip(low, least, most), np.clip(high, least, most)
        beyond = (low < least) | (high > most)
        if self.outside == "refuse" and beyond.any():
            i = int(beyond.argmax())
            raise UsageError(
                f"method.targets: gaussian ranges from {low[i]:.1f} to {high[i]:.1f} for "
                f"{names[i]}, training scores from {least[i]:.1f} to {most[i]:.1f}; set "
                "method.targets=quantiles, or method.outside=clip, or allow (as published)"
            )
        return low, high


@dataclass(frozen=True)
class TargetText:
    """Words that state targets before a prompt.

    Attributes
    ----------
    names
        Of the objectives.
    template
        Text of one target, with {value} and {name} or {number}, which counts from 1.
    decimals
        Decimals of a number.
    edges
        Lower ends (levels - 1, m) of all levels but the lowest: a target is then stated as its
        level, 0, 1, …; None: as a number.

    """

    names: Sequence[str]
    template: str
    decimals: int = 1
    edges: Array | None = None

    def __post_init__(self) -> None:
        try:
            one, other = (self._target(0, value) for value in ("1", "2"))
        except (KeyError, IndexError, ValueError, AttributeError):
            one = other = ""
        if one == other:
            raise UsageError(
                f"method.template: found {self.template!r}; write {{value}}, with {{name}} or "
                "{number} beside it, and double any other braces"
            )

    def __call__(self, targets: Array) -> list[str]:
        """Words for each row of targets (k, m), without those that are NaN."""
        return [
            "".join(self._target(i, self._value(i, x)) for i, x in enumerate(row) if x == x)
            for row in targets.tolist()
        ]

    def _target(self, i: int, value: str) -> str:
        return self.template.format(name=self.names[i], number=i + 1, value=value)

    def _value(self, i: int, target: float) -> str:
        if self.edges is not None:
            return str(int((self.edges[:, i] <= target).sum()))
        return f"{round(target, self.decimals) + 0.0:.{self.decimals}f}"  # no -0.0
