"""Which prompts a split has: those of all objectives' pairs, as many of each."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import zip_longest

from paretosteer.text.dialogue import Dialogue
from paretosteer.text.pairs import SPLITS, Pair, PairSet, split_of
from paretosteer.text.rewards.holdout import halves

JUDGED = "judge"  # the part of the training pairs that only the judge learns from


def pairs_by_part(found: PairSet, judge: bool) -> dict[str, Sequence[Pair]]:
    """Pairs of an objective by split; with a judge half of the training prompts are its own."""
    parts: dict[str, Sequence[Pair]] = {}
    for split in SPLITS:
        parts[split] = [pair for pair in found.pairs if split_of(pair.key) == split]
    if judge:
        parts["train"], parts[JUDGED] = halves(parts["train"])
    return parts


def balanced(pairs: Mapping[str, Sequence[Pair]]) -> list[Dialogue]:
    """Every prompt once, the objectives taking turns, so that any first part has all of them."""
    found: dict[Dialogue, None] = {}
    own = [dict.fromkeys(pair.prompt for pair in part) for part in pairs.values()]
    for turn in zip_longest(*own):
        found |= dict.fromkeys(prompt for prompt in turn if prompt is not None)
    return list(found)
