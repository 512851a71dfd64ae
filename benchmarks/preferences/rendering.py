"""Rendering of dialogues into prompts that fit the start model's context."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from functools import cached_property
from typing import Any, Literal

from paretosteer.errors import UsageError
from paretosteer.text.chat_template import (
    RefusedDialogueError,
    around_answer,
    has_template,
    reasons,
)
from paretosteer.text.dialogue import Dialogue, Turn, render
from paretosteer.text.pairs import prompt_key
from paretosteer.text.samples import Prompt


class Reader:
    """Renders dialogues into prompts of at most `room` tokens.

    A dialogue that is too long loses its oldest turns, but never its system turn. If the last turn
    alone is too long, it is cut at the end named by `side`. `cut` collects the ids of shortened
    prompts.
    """

    def __init__(
        self, tokenizer: Any, room: int, template: str | None, side: Literal["left", "right"]
    ):
        self.tokenizer, self.room, self.template, self.side = tokenizer, room, template, side
        self.cut: set[str] = set()
        self.refused: dict[Dialogue, str] = {}  # reason by dialogue that cannot be rendered
        self._cache: dict[Dialogue, Prompt] = {}

    def prompts(self, dialogues: Iterable[Dialogue]) -> Iterator[Prompt]:
        """Prompts of dialogues, without those that the chat template refuses."""
        for dialogue in dialogues:
            if dialogue not in self.refused:
                try:
                    yield self.prompt(dialogue)
                except RefusedDialogueError as error:
                    self.refuse(dialogue, str(error))

    def refuse(self, dialogue: Dialogue, reason: str) -> None:
        """Leave a dialogue out."""
        self.refused[dialogue] = reason

    @property
    def refusals(self) -> str:
        """Reasons of the dialogues that were left out, with counts."""
        return reasons(Counter(self.refused.values()))

    def prompt(self, dialogue: Dialogue) -> Prompt:
        """Prompt of a dialogue; its id is the key of the pair.

        Raises
        ------
        RefusedDialogueError
            If the chat template does not render the dialogue.

        """
        if dialogue not in self._cache:
            text, key = self._render(dialogue), prompt_key(dialogue)
            if not self._fits(text):
                text = self._shortened(dialogue)
                self.cut.add(key)
            self._cache[dialogue] = Prompt(key, text, dialogue)
        return self._cache[dialogue]

    def joined(self, prompt: str, answer: str) -> str:
        """Text of a prompt with an answer, as the chat template writes it.

        Without one, a space separates them unless the prompt ends with whitespace.
        """
        if self._around is not None:
            return f"{prompt}{self._around[0]}{answer}"
        return prompt + answer if prompt[-1:].isspace() else f"{prompt} {answer}"

    def end(self, ends: Sequence[int]) -> int | None:
        """Token of `ends` that the chat template writes after an answer, else the first of them."""
        after = "" if self._around is None else self._around[1]
        written = self.tokenizer(after, add_special_tokens=False)["input_ids"] if after else []
        return next((token for token in written if token in ends), next(iter(ends), None))

    @property
    def answer_note(self) -> str | None:
        """Caveat on human answers that stand where the chat template would not put them."""
        if self._around is not None or not has_template(self.tokenizer):
            return None
        return (
            "The chat template writes more before an answer than a space, or ends prompts in "
            "another way (a thought, for example). Human answers follow their prompts directly."
        )

    @cached_property
    def _around(self) -> tuple[str, str] | None:
        return around_answer(self.tokenizer) if has_template(self.tokenizer) else None

    def _shortened(self, dialogue: Dialogue) -> str:
        for part in _later(dialogue):
            text = self._render(part)
            if self._fits(text):
                return text
        # `part` is the shortest suffix: only cutting its last turn can help.
        *before, last = part
        ids = self.tokenizer(last.text, add_special_tokens=False)["input_ids"]
        while ids and not self._fits(text):
            spare = max(1, self._length(text) - self.room)
            ids = ids[spare:] if self.side == "left" else ids[:-spare]
            kept = self.tokenizer.decode(ids, skip_special_tokens=True)
            kept = kept.strip("\ufffd").strip()  # drop a character that was cut in half
            text = self._render((*before, Turn(last.role, kept)))
        if not ids:
            raise UsageError(
                f"benchmark.max_prompt_tokens: {self.room} tokens are not enough for the template "
                "and a prompt; raise it, or lower benchmark.max_new_tokens"
            )
        return text

    def _render(self, dialogue: Dialogue) -> str:
        return render(dialogue, self.tokenizer, self.template)

    def _fits(self, text: str) -> bool:
        # A token has at least one byte, so short texts need not be tokenised.
        return len(text.encode()) < self.room or self._length(text) <= self.room

    def _length(self, text: str) -> int:
        return len(self.tokenizer(text)["input_ids"])


def check_template(template: str) -> None:
    """Raise UsageError if a template has an unknown placeholder, or makes all prompts alike."""
    for name in re.findall(r"\{(\w+)\}", template):
        if name != "prompt":
            raise UsageError(f"benchmark.template: {{{name}}} is not a placeholder; use {{prompt}}")
    if "{prompt}" not in template:
        raise UsageError(
            f"benchmark.template: found {template!r}, which makes all prompts alike; add {{prompt}}"
        )


def _later(dialogue: Dialogue) -> Iterator[Dialogue]:
    """Shorter and shorter suffixes of a dialogue that start with a user turn."""
    system = dialogue[:1] if dialogue[0].role == "system" else ()
    for index, turn in enumerate(dialogue):
        if turn.role == "user":
            yield system + dialogue[index:]
