"""Objectives: named scores, higher is better."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass


@dataclass(frozen=True)
class Objective:
    """A quantity to maximise; a cost is declared with its sign flipped."""

    name: str
    unit: str
    worst: float  # raw value of a sample that cannot be scored
    description: str
    version: str = "1"


@dataclass(frozen=True)
class TextObjective:
    """A named score of a text, higher is better."""

    name: str
    unit: str
    worst: float  # lowest possible score, in `unit`
    description: str
    version: str  # raise it when the same text would score differently
    score: Callable[[str], float]
