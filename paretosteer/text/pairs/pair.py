"""Preference pairs: two answers to one prompt, of which people liked one better."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property

from paretosteer.storage.digest import digest
from paretosteer.text.dialogue import Dialogue

KEY = 16  # hexadecimal digits: no two of a million prompts share a key but by a chance of 1e-7

# Why a row of a source gives no pair, by the name under which it is counted.
REASONS = {
    "duplicate": "of which there was an equal one before",
    "empty": "with an empty prompt or answer",
    "tie": "that are ties",
    "equal": "with the same answer on both sides",
    "unshared": "whose two sides share no prompt",
}


@dataclass(frozen=True)
class Pair:
    """A prompt, which ends with the user's turn, and two answers without it."""

    prompt: Dialogue
    chosen: str
    rejected: str

    @cached_property
    def key(self) -> str:
        """Digest of the prompt: what splits go by, whatever the answers and the objective."""
        return prompt_key(self.prompt)


@dataclass(frozen=True)
class PairSet:
    """The pairs of one objective, and how many rows were read and left out, by `REASONS`."""

    objective: str
    source: str
    pairs: tuple[Pair, ...]
    counts: Mapping[str, int]

    def __str__(self) -> str:
        """How many pairs there are, what was left out and why, in one sentence."""
        whole = f"{self.objective}: {len(self.pairs)} of {self.counts['read']} pairs are used"
        left = [f"{n} {REASONS[name]}" for name, n in self.counts.items() if name in REASONS and n]
        return f"{whole}; left out are {', '.join(left)}." if left else f"{whole}."


def prompt_key(prompt: Dialogue) -> str:
    """Digest of a prompt's turns."""
    return digest([[turn.role, turn.text] for turn in prompt])[:KEY]
