"""Points of one row of a table."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from paretosteer.metrics.input_checks import FloatArray


@dataclass(frozen=True)
class Points:
    """A row's points: `values` (replicates, k, m), and the fold of each, None without folds.

    `measured` holds further inputs of metrics at each replicate's points by name, (k, …): drift,
    scores of single prompts, raw scores, what a benchmark measured.
    """

    values: FloatArray
    folds: Sequence[int | None]
    measured: Sequence[Mapping[str, FloatArray]] = ()

    def of(self, fold: int | None) -> FloatArray:
        """Points of all seeds in one fold, (n, m)."""
        own = [each == fold for each in self.folds]
        return self.values[own].reshape(-1, self.values.shape[-1])

    @property
    def mean(self) -> FloatArray:
        """Mean over replicates, (k, m)."""
        return self.values.mean(axis=0)
