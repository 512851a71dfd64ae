"""Checks of the values that benchmarks return.

Without them, a mistake in a benchmark would surface as an error in NumPy or pandas, far from its
cause.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from paretosteer.benchmark import Benchmark
from paretosteer.errors import PromiseError, UnsupportedError
from paretosteer.interfaces import Array

if TYPE_CHECKING:
    from paretosteer.policies.control import Control
    from paretosteer.policies.protocols import Policy


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


def extra_measures(
    benchmark: Benchmark, policy: Policy, control: Control
) -> dict[str, list[list[float]]]:
    """Rows of the benchmark's extra measures by name, one row for each control row.

    Empty if the policy cannot give them. Raise PromiseError for another shape or for NaN.
    """
    try:
        measured = benchmark.extra_measures(policy, control)
    except UnsupportedError as reason:
        benchmark.setting.say(f"no extra measures: {reason}")
        return {}
    for name, values in measured.items():
        shape = np.shape(values)
        if len(shape) != 2 or shape[0] != control.rows or not np.isfinite(values).all():
            raise PromiseError(
                f"benchmark {benchmark.name!r}: extra_measures gives {name!r} with shape {shape} "
                f"for {control.rows} control rows, or with values that are not finite",
                f"return finite values of shape ({control.rows}, n)",
            )
    return {name: np.asarray(values, dtype=float).tolist() for name, values in measured.items()}
