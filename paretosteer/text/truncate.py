"""Truncation of prompts that exceed the model's context, at the end that the task chooses.

Prompts are cut once, when they are made, so that every method reads the same prompts and the
recorded prompts are the ones that were read.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Literal

from paretosteer.errors import UsageError
from paretosteer.text.model import LanguageModel

Side = Literal["left", "right"]

RESERVED = 64  # tokens reserved for a method's prefix: a preference as text, or soft prompts


@dataclass
class Fitter:
    """Truncates prompts to `room` tokens and counts those that were cut.

    Dialogues lose their beginning (`left`), posts and articles their end (`right`).
    """

    tokenizer: Any
    room: int
    side: Side
    seen: int = field(default=0, init=False)
    cut: int = field(default=0, init=False)

    @classmethod
    def of(cls, model: LanguageModel, new_tokens: int, side: Side) -> Fitter:
        """Fitter that leaves room for `new_tokens` and for a method's prefix."""
        return cls(model.tokenizer, model.room(new_tokens) - RESERVED, side)

    def fit(self, text: str, wrap: Callable[[str], str] = str) -> str:
        """Return `wrap(text)`, with the text shortened until the whole fits.

        Raises
        ------
        UsageError
            If nothing of the text would be left.

        """
        self.seen += 1
        if self._fits(whole := wrap(text)):
            return whole
        self.cut += 1
        # Binary search for the fewest characters to remove.
        lost = range(1, len(text) + 1)
        index = bisect_left(lost, True, key=lambda n: self._fits(wrap(self._without(text, n))))
        if index + 1 >= len(text):
            raise UsageError(
                f"benchmark.max_new_tokens: {self.room} tokens are left for a prompt, but the "
                f"template alone needs {self._length(wrap(''))}; lower it, or use a model with a "
                "longer context"
            )
        return wrap(self._without(text, lost[index]))

    @property
    def notes(self) -> list[str]:
        """Number of truncated prompts, if any."""
        if not self.cut:
            return []
        end = "beginning" if self.side == "left" else "end"
        return [
            f"{self.cut} of {self.seen} prompts exceed the {self.room} tokens available for a "
            f"prompt and lost their {end}."
        ]

    def _fits(self, text: str) -> bool:
        return too_long(self.tokenizer, text, self.room) is None

    def _length(self, text: str) -> int:
        return len(self.tokenizer(text)["input_ids"])

    def _without(self, text: str, lost: int) -> str:
        return text[lost:] if self.side == "left" else text[: len(text) - lost]


def too_long(tokenizer: Any, text: str, room: int) -> int | None:
    """Number of tokens of a text that has more than `room`; None for others."""
    if not may_exceed(tokenizer, text, room):
        return None
    count = len(tokenizer(text)["input_ids"])
    return count if count > room else None


def may_exceed(tokenizer: Any, text: str, room: int) -> bool:
    """True if a text may have more than `room` tokens; cheap, since it does not tokenise.

    A token has at least one byte, except special tokens and the space that SentencePiece prepends.
    """
    return len(text.encode()) + 1 + int(tokenizer.num_special_tokens_to_add()) > room
