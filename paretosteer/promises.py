"""What methods and benchmarks give the package, checked where it is taken, whoever wrote them.

Unchecked, a mistake in one would be an error of NumPy's or pandas', far from its place.
"""

from __future__ import annotations

import reprlib
from collections.abc import Sequence
from numbers import Integral
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from paretosteer.errors import PromiseError
from paretosteer.interfaces import Array, Benchmark, Point

if TYPE_CHECKING:
    from paretosteer.method import Method

NEEDED = ("train", "calibration", "test")  # splits, by every cell; some methods validate, too


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


def prompts(benchmark: Benchmark, split: str) -> Sequence[Any]:
    """The prompts of one split; PromiseError where there are none."""
    found = benchmark.prompts(split)
    if not len(found):
        raise PromiseError(
            f"benchmark {benchmark.name!r}: {split} has no prompts", "keep some for every split"
        )
    return found


def scores(benchmark: Benchmark, samples: Any) -> Array:
    """Raw scores (rows, m), NaN where there is none; PromiseError in any other shape."""
    found = benchmark.score(samples)
    expected = (len(samples), len(benchmark.objectives))
    if np.shape(found) != expected:
        raise PromiseError(
            f"benchmark {benchmark.name!r}: score gives an array of shape {np.shape(found)} for "
            f"{expected[0]} samples and {expected[1]} objectives",
            f"give {expected}, a row for each sample",
        )
    return found
