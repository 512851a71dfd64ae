"""Preference pairs: two answers to one prompt, one preferred over the other."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property

from paretosteer.storage.digest import digest
from paretosteer.text.dialogue import Dialogue

KEY = 16  # hexadecimal digits: among a million prompts, a collision has probability below 1e-7

# Reasons to leave a row out, as they complete "left out: N …".
REASONS = {
    "duplicate": "duplicate",
    "empty": "with an empty prompt or answer",
    "tie": "tied",
    "equal": "with the same answer on both sides",
    "unshared": "without a shared prompt",
}


@dataclass(frozen=True)
class Pair:
    """A prompt, which ends with a user turn, and two answers to it."""

    prompt: Dialogue
    chosen: str
    rejected: str

    @cached_property
    def key(self) -> str:
        """Digest of the prompt, which determines the split of the pair."""
        return prompt_key(self.prompt)


@dataclass(frozen=True)
class PairSet:
    """Pairs of one objective, and the number of rows read and left out, by `REASONS`."""

    objective: str
    source: str
    pairs: tuple[Pair, ...]
    counts: Mapping[str, int]

    def __str__(self) -> str:
        used = f"{self.objective}: {len(self.pairs)} of {self.counts['read']} pairs are used"
        left = [f"{n} {REASONS[name]}" for name, n in self.counts.items() if name in REASONS and n]
        return f"{used}; left out: {', '.join(left)}." if left else f"{used}."


def prompt_key(prompt: Dialogue) -> str:
    """Digest of the turns of a prompt."""
    return digest([[turn.role, turn.text] for turn in prompt])[:KEY]
