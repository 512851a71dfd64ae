"""One objective that is a function of the text alone."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass


@dataclass(frozen=True)
class TextObjective:
    """A named score of text, higher is better. `worst` is the least it can give, in `unit`; raise
    `version` when the same text would score differently."""

    name: str
    unit: str
    worst: float
    description: str
    version: str
    score: Callable[[str], float]
