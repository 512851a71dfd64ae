"""Prompts of a task, with the inputs that its objectives need."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

from paretosteer.text.dialogue import Dialogue, Turn
from paretosteer.text.pairs import prompt_key

Row = Mapping[str, Any]


@dataclass(frozen=True)
class Item:
    """A prompt from the data.

    `dialogue` is the prompt; it also determines the split. `reads` maps an objective to the
    dialogue that its reward model reads instead. `reference` is a human-written answer.
    """

    dialogue: Dialogue
    reads: Mapping[str, Dialogue] = field(default_factory=dict)
    reference: str | None = None

    @cached_property
    def id(self) -> str:
        return prompt_key(self.dialogue)


def asked(text: str) -> Dialogue:
    """Dialogue with a single user turn."""
    return (Turn("user", text.strip()),)


def column(row: Row, name: str) -> Any:
    """Value of a column; raise ValueError if the row does not have it."""
    if name not in row:
        raise ValueError(f"column {name} is missing; the row has {', '.join(map(str, row))}")
    return row[name]


def text_of(row: Row, name: str) -> str:
    """Text of a column; raise ValueError if it holds anything else."""
    value = column(row, name)
    if not isinstance(value, str):
        raise ValueError(f"{name} is {type(value).__name__}, expected text")
    return value
