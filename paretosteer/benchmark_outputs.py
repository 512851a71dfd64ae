"""Checks of the values that benchmarks return.

Without them, a mistake in a benchmark would surface as an error in NumPy or pandas, far from its
cause.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from paretosteer.benchmark import Benchmark
from paretosteer.errors import PromiseError
from paretosteer.interfaces import Array

if TYPE_CHECKING:
    pass


NEEDED = ("train", "calibration", "test")  # splits of every cell; some methods validate, too


def prompts(benchmark: Benchmark, split: str) -> Sequence[Any]:
    """Prompts of a split; raise PromiseError if there are none."""
    values = benchmark.prompts(split)
    if not len(values):
        raise PromiseError(
            f"benchmark {benchmark.name!r}: split {split} has no prompts",
            "provide some for every split",
        )
    return values


def scores(benchmark: Benchmark, samples: Any) -> Array:
    """Raw scores, (rows, m), NaN where there is none; raise PromiseError for another shape."""
    raw = benchmark.score(samples)
    expected = (len(samples), len(benchmark.objectives))
    if np.shape(raw) != expected:
        raise PromiseError(
            f"benchmark {benchmark.name!r}: score returns an array of shape {np.shape(raw)} for "
            f"{expected[0]} samples and {expected[1]} objectives",
            f"return shape {expected}, one row per sample",
        )
    return raw
