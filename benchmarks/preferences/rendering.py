"""Dialogues as the start model reads them: rendered, and cut where they are too long for it."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Literal

from paretosteer.errors import UsageError
from paretosteer.text.dialogue import Dialogue, Turn, render
from paretosteer.text.pairs import prompt_key
from paretosteer.text.samples import Prompt


class Reader:
    """Makes prompts of dialogues, of at most `room` tokens.

    A dialogue that is too long loses its oldest turns; a turn that is too long alone loses one of
    its ends, the one named by `side`. A system turn stays. `cut` has the ids of what was shortened.
    """

    def __init__(
        self, tokenizer: Any, room: int, template: str | None, side: Literal["left", "right"]
    ):
        self.tokenizer, self.room, self.template, self.side = tokenizer, room, template, side
        self.cut: set[str] = set()
        self._known: dict[Dialogue, Prompt] = {}

    def prompt(self, dialogue: Dialogue) -> Prompt:
        """The prompt of a dialogue: its id is the pair's key, its text fits."""
        if dialogue not in self._known:
            text, key = self._render(dialogue), prompt_key(dialogue)
            if not self._fits(text):
                text = self._shortened(dialogue)
                self.cut.add(key)
            self._known[dialogue] = Prompt(key, text, dialogue)
        return self._known[dialogue]

    def _shortened(self, dialogue: Dialogue) -> str:
        for part in _later(dialogue):
            text = self._render(part)
            if self._fits(text):
                return text
        *before, last = part
        ids = self.tokenizer(last.text, add_special_tokens=False)["input_ids"]
        while ids and not self._fits(text):
            spare = max(1, self._length(text) - self.room)
            ids = ids[spare:] if self.side == "left" else ids[:-spare]
            kept = self.tokenizer.decode(ids, skip_special_tokens=True)
            kept = kept.strip("\ufffd").strip()  # no half of a character where the text was cut
            text = self._render((*before, Turn(last.role, kept)))
        if not ids:
            raise UsageError(
                f"benchmark.max_prompt_tokens: {self.room} tokens have no room for a prompt beside "
                "its template; raise it, or lower benchmark.max_new_tokens"
            )
        return text

    def _render(self, dialogue: Dialogue) -> str:
        return render(dialogue, self.tokenizer, self.template)

    def _fits(self, text: str) -> bool:
        # A token is at least one byte: short texts need no tokenising.
        return len(text.encode()) < self.room or self._length(text) <= self.room

    def _length(self, text: str) -> int:
        return len(self.tokenizer(text)["input_ids"])


def _later(dialogue: Dialogue) -> Iterator[Dialogue]:
    """The dialogue without its oldest turns, more and more of them; a user's turn comes first."""
    system = dialogue[:1] if dialogue[0].role == "system" else ()
    for place, turn in enumerate(dialogue):
        if turn.role == "user":
            yield system + dialogue[place:]
