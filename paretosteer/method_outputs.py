"""Checks of the values that methods return."""

from __future__ import annotations

import reprlib
from collections.abc import Sequence
from numbers import Integral
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from paretosteer.errors import PromiseError
from paretosteer.interfaces import Array, Point

if TYPE_CHECKING:
    from paretosteer.method import Method
    from paretosteer.policies.control import Control


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


def control(method: Method, points: Sequence[Point]) -> Control:
    """Control with a row for each point; raise PromiseError unless its numbers are finite."""
    mu = np.array([point.preference for point in points])
    found = method.control(mu, [point.dials for point in points])
    if not found.finite:
        raise PromiseError(
            f"{type(method).__name__}.control returns NaN or infinity at some preferences",
            "return finite numbers at every preference, also where a weight is 0",
        )
    return found


def save(name: str, method: Method, folder: Path) -> None:
    """Save a trained method; raise PromiseError if `Method.save` was not called."""
    method.save(folder)
    if not (folder / "method.json").is_file():
        raise PromiseError(
            f"method {name!r}: save does not write method.json, so the method cannot be loaded",
            "call super().save(folder) in it",
        )
