"""Options of merges; `merging` has the formulas that they set."""

from __future__ import annotations

from typing import Literal

from paretosteer.config.options import BaseOptions, option
from paretosteer.policies.merging import RANDOM


class MergeOptions(BaseOptions):
    """Kind of a merge and its settings."""

    kind: Literal[
        "task_arithmetic", "ties", "dare_linear", "dare_ties", "della", "breadcrumbs", "regmean"
    ] = option("ties", "how the specialists are merged", bare=True)
    density: float | None = option(
        None,
        "fraction of a delta's entries to keep; null: 0.2 to 0.9, depending on kind",
        above=0,
        most=1,
        unless={"kind": ("task_arithmetic", "regmean")},
    )
    rescale: Literal["l1", "probability"] = option(
        "l1",
        "after random dropping: restore the L1 norm, or divide by the probability of being kept",
        only={"kind": RANDOM},
    )
    epsilon: float = option(
        0.15,
        "probability of being kept: density minus this for the smallest entries, plus this for "
        "the largest",
        least=0,
        most=1,
        only={"kind": ("della",)},
    )
    gamma: float = option(
        0.01,
        "fraction of entries to drop, largest first",
        least=0,
        most=1,
        only={"kind": ("breadcrumbs",)},
    )
    scale: float = option(1.0, "factor of the merged delta", above=0)
    off_diagonal: float = option(
        0.6,
        "factor of the Gram matrices' off-diagonal elements",
        least=0,
        most=1,
        only={"kind": ("regmean",)},
    )
    examples: int = option(
        256,
        "training prompts per specialist, from whose answers its inputs are collected",
        least=1,
        only={"kind": ("regmean",)},
    )
