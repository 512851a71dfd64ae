"""Objective that is a function of the text alone."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass


@dataclass(frozen=True)
class TextObjective:
    """A named score of a text, higher is better."""

    name: str
    unit: str
    worst: float  # lowest possible score, in `unit`
    description: str
    version: str  # raise it when the same text would score differently
    score: Callable[[str], float]
