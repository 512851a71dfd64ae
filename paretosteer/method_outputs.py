"""Checks of the values that methods return."""

from __future__ import annotations

import reprlib
from numbers import Integral
from pathlib import Path
from typing import TYPE_CHECKING, Any

from paretosteer.errors import PromiseError
from paretosteer.interfaces import Array, Point

if TYPE_CHECKING:
    from paretosteer.method import Method


def total_steps(name: str, method: Method, budget: int, objectives: int) -> int:
    """Optimiser steps of a method; raise PromiseError unless it is a natural number."""
    steps: Any = method.total_steps(budget, objectives)
    if not isinstance(steps, Integral) or steps < 0:
        raise PromiseError(
            f"method {name!r}: total_steps returns {steps!r}", "return an integer, 0 or more"
        )
    return int(steps)


def points(name: str, method: Method, grid: Array) -> list[Point]:
    """Points at which a method is evaluated; raise PromiseError if there are none."""
    values = list(method.points(grid) or ())
    if not values or not all(isinstance(point, Point) for point in values):
        raise PromiseError(
            f"method {name!r}: points returns {reprlib.repr(values)}",
            "return the Points of super().points(grid)",
        )
    return values


def save(name: str, method: Method, folder: Path) -> None:
    """Save a trained method; raise PromiseError if `Method.save` was not called."""
    method.save(folder)
    if not (folder / "method.json").is_file():
        raise PromiseError(
            f"method {name!r}: save does not write method.json, so the method cannot be loaded",
            "call super().save(folder) in it",
        )
