"""Target scores that stand for a preference, and how a prompt states them.

After Rewards-in-Context (arXiv 2402.10207). Scores are normalised, higher is better. `low` and
`high` (m,) are the ends of the targets' range.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np

from paretosteer.config.options import BaseOptions, option
from paretosteer.errors import UsageError
from paretosteer.interfaces import Array

TargetMap = Literal["l2", "linf", "linear"]
VECTOR = {"condition": ("features", "shifts")}  # conditionings that read targets as numbers
NORMAL_DRAWS, NORMAL_SEED = 50_000, 8888  # of the published range


class TargetOptions(BaseOptions):
    """Options of targets: their range, the map from preferences, and how a policy reads them."""

    map: TargetMap = option("l2", "map from preferences to target scores")
    targets: Literal["quantiles", "gaussian"] = option(
        "quantiles", "range of the targets: of the training scores, or the published extremes"
    )
    low: float = option(
        0.05, "quantile of the range's lower end", least=0, most=1, only={"targets": ("quantiles",)}
    )
    high: float = option(
        0.95, "quantile of the range's upper end", least=0, most=1, only={"targets": ("quantiles",)}
    )
    outside: Literal["refuse", "clip", "allow"] = option(
        "refuse",
        "targets outside the training scores (published: allow)",
        only={"targets": ("gaussian",)},
    )
    tokens: Literal["numbers", "attributes"] = option(
        "numbers",
        "give a target as a number, or as a level of the training scores",
        unless=VECTOR,
    )
    levels: int = option(5, "number of levels", least=2, only={"tokens": ("attributes",)})
    decimals: int = option(
        1, "decimals of a target", least=0, most=6, only={"tokens": ("numbers",)}
    )
    template: str = option(
        "{name}: {value}; ",
        "text of one target, with {value} and {name} or {number}",
        unless=VECTOR,
    )
    left_out: float = option(
        0.0,
        "probability that training leaves a target out of the prompt",
        least=0,
        most=0.99,
        unless=VECTOR,
    )
    condition: Literal["prompt_text", "features", "shifts"] | None = option(
        None,
        "give targets in words, as features (a soft prompt) or as shifts of layer outputs; "
        "null: the benchmark's",
        bare=True,
    )


def check_targets(options: TargetOptions) -> None:
    """Raise UsageError for an empty range or a template without a value."""
    o = options
    if o.low >= o.high:
        raise UsageError(f"method.low: found {o.low} with high {o.high}; set low below high")
    TargetText(["name"], o.template)


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
    """Published range: the extremes of draws from a standard normal, seeded, for each objective.

    The seed is the release's; its generator is unknown, so its range may differ by some tenths.
    """
    draws = np.random.default_rng(NORMAL_SEED).normal(size=(NORMAL_DRAWS, objectives))
    return draws.min(axis=0), draws.max(axis=0)


def target_range(
    options: TargetOptions, scores: Array, names: Sequence[str]
) -> tuple[Array, Array]:
    """Low and high ends (m,) of the targets, from normalised training scores (examples, m).

    Raises
    ------
    UsageError
        If the published range goes beyond the scores and `outside` refuses that.

    """
    o = options
    if o.targets == "quantiles":
        low, high = np.quantile(scores, [o.low, o.high], axis=0)
        return low, high
    low, high = normal_range(len(names))
    least, most = scores.min(axis=0), scores.max(axis=0)
    if o.outside == "clip":
        return np.clip(low, least, most), np.clip(high, least, most)
    beyond = (low < least) | (high > most)
    if o.outside == "refuse" and beyond.any():
        i = int(beyond.argmax())
        raise UsageError(
            f"method.targets: gaussian ranges from {low[i]:.1f} to {high[i]:.1f} for "
            f"{names[i]}, training scores from {least[i]:.1f} to {most[i]:.1f}; set "
            "method.targets=quantiles, or method.outside=clip, or allow (as published)"
        )
    return low, high


def level_edges(scores: Array, levels: int) -> Array:
    """Lower ends (levels - 1, m) of all levels but the lowest, from scores (examples, m)."""
    edges: Array = np.quantile(scores, np.arange(1, levels) / levels, axis=0)
    return edges


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
