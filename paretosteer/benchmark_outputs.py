"""What benchmarks return, checked where it is taken, whoever wrote them.

Unchecked, a mistake in one would surface as an error of NumPy or pandas far from its cause.
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


NEEDED = ("train", "calibration", "test")  # splits, by every cell; some methods validate, too


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
