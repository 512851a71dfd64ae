"""Preference pairs: two answers to one prompt, one preferred over the other."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property
from unicodedata import normalize

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
    "prompt": "whose sides do not contain their prompt",
    "contradicted": "preferred in both orders",
    "unrated": "without a rating",
    "single": "without a second answer to their prompt",
    "excess": "beyond the first 16 answers to a prompt",
    "foreign": "in another format",
    "invalid": "that cannot be read",
}


class LeftOut(Exception):
    """A row gives no pair; `reason` is a key of `REASONS`."""

    def __init__(self, reason: str):
        super().__init__(reason)
        self.reason = reason


@dataclass(frozen=True)
class Pair:
    """A prompt, which ends with a user turn, and two answers to it."""

    prompt: Dialogue
    chosen: str
    rejected: str
    continued: bool = field(default=False, compare=False)  # turns after the answers are not used

    @cached_property
    def key(self) -> str:
        """Digest that determines the split of the pair."""
        return split_key(self.prompt)


@dataclass(frozen=True)
class PairSet:
    """Pairs of one objective, and the number of rows read and left out, by `REASONS`.

    `format` names the format in which the rows were read, `first` holds the location and the fault
    of the first row for some of the reasons.
    """

    objective: str
    source: str
    pairs: tuple[Pair, ...]
    counts: Mapping[str, int]
    format: str = ""
    first: Mapping[str, str] = field(default_factory=dict)
    by_prompt: bool = False  # made from several answers to a prompt
    unread: tuple[str, ...] = ()  # splits of the source besides the one that is read
    remarks: tuple[str, ...] = ()  # sentences on pairs that are used although they are unusual

    @property
    def note(self) -> str:
        """Numbers, format and remarks, for records."""
        form = [f"Format: {self.format}."] if self.format else []
        return " ".join([str(self), *form, *self.remarks])

    @property
    def left_out(self) -> str:
        """Number of rows, answers or pairs left out by reason, such as `2 tied`; may be empty."""
        counted = [(name, self.counts.get(name, 0)) for name in REASONS]
        where = {name: f" ({fault})" for name, fault in self.first.items()}
        return ", ".join(f"{n} {REASONS[name]}{where.get(name, '')}" for name, n in counted if n)

    @property
    def content(self) -> list[list[str]]:
        """Prompts and answers in an order of their own, the same for every format and file."""
        return sorted([pair.key, pair.chosen, pair.rejected] for pair in self.pairs)

    def __str__(self) -> str:
        read = self.counts["read"]
        # Rated and ranked answers give any number of pairs for a row.
        of = f"pairs from {read} rows" if self.by_prompt else f"of {read} pairs"
        said = f"{self.objective}: {len(self.pairs)} {of} are used"
        said += f"; left out: {self.left_out}" if self.left_out else ""
        said += f"; splits that are not read: {', '.join(self.unread)}" if self.unread else ""
        return f"{said}."


def prompt_key(prompt: Dialogue) -> str:
    """Digest of the turns of a prompt."""
    return digest([[turn.role, turn.text] for turn in prompt])[:KEY]


def split_key(prompt: Dialogue) -> str:
    """Digest that determines the split of a prompt, whatever the Unicode form of its characters."""
    return prompt_key(tuple(replace(t, text=normalize("NFC", t.text)) for t in prompt))
