"""Prompts of a split, balanced over the objectives."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import zip_longest

from paretosteer.text.dialogue import Dialogue
from paretosteer.text.pairs import SPLITS, Pair, PairSet, split_of
from paretosteer.text.rewards.holdout import halves

JUDGED = "judge"  # part of the training pairs on which only the judge is trained


def pairs_by_part(pairs: PairSet, judge: bool) -> dict[str, Sequence[Pair]]:
    """Pairs of an objective by split; `judge` reserves half of the training prompts."""
    parts: dict[str, Sequence[Pair]] = {}
    for split in SPLITS:
        parts[split] = [pair for pair in pairs.pairs if split_of(pair.key) == split]
    if judge:
        parts["train"], parts[JUDGED] = halves(parts["train"])
    return parts


def balanced(pairs: Mapping[str, Sequence[Pair]]) -> list[Dialogue]:
    """Distinct prompts, alternating between the objectives, so that every prefix is balanced."""
    prompts: dict[Dialogue, None] = {}  # a dict as an ordered set
    distinct = [dict.fromkeys(pair.prompt for pair in part) for part in pairs.values()]
    for turn in zip_longest(*distinct):
        prompts |= dict.fromkeys(prompt for prompt in turn if prompt is not None)
    return list(prompts)
