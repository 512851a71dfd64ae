"""What methods return, checked where it is taken, whoever wrote them."""

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
    """Optimiser steps that the method of this name may take; PromiseError if no whole number."""
    found: Any = method.total_steps(budget, objectives)
    if not isinstance(found, Integral) or found < 0:
        raise PromiseError(
            f"method {name!r}: total_steps gives {found!r}", "give a whole number, 0 or more"
        )
    return int(found)


def points(name: str, method: Method, grid: Array) -> list[Point]:
    """What the method of this name is evaluated at; PromiseError if there is nothing."""
    found = list(method.points(grid) or ())
    if not found or not all(isinstance(point, Point) for point in found):
        raise PromiseError(
            f"method {name!r}: points gives {reprlib.repr(found)}",
            "give the Points of super().points(grid)",
        )
    return found


def save(name: str, method: Method, folder: Path) -> None:
    """Keep what was trained; PromiseError where `Method.save` never wrote."""
    method.save(folder)
    if not (folder / "method.json").is_file():
        raise PromiseError(
            f"method {name!r}: save writes no method.json, without which nothing can be loaded",
            "call super().save(folder) in it",
        )
