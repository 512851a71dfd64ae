"""Scores of samples, with what could not be scored counted and judged."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np

from paretosteer.errors import ScoringError
from paretosteer.interfaces import Array, Benchmark


@dataclass
class Scorer:
    """Scores in raw units; a sample without a score gets its objective's worst value.

    `grace` is the number of samples over which the share of failures is judged at the least: one
    failure in a small first batch says little.
    """

    benchmark: Benchmark
    grace: int = 0
    total: int = 0
    failed: int = 0
    _named: set[str] = field(default_factory=set)

    def score(self, samples: Any) -> Array:
        """Finite scores (rows, m).

        Raises
        ------
        ScoringError
            If, over all calls, a larger share than the benchmark allows (1 %) had no score.

        """
        scores, objectives = self.benchmark.score(samples), self.benchmark.objectives
        missing = ~np.isfinite(scores)  # (rows, m)
        self.total += len(scores)
        self.failed += int(missing.any(axis=1).sum())
        self._named |= {o.name for o, bad in zip(objectives, missing.T, strict=True) if bad.any()}
        if self.failed > self.benchmark.max_failed * max(self.total, self.grace):
            raise ScoringError(
                f"benchmark.objectives: {self.failed} of {self.total} samples could not be scored "
                f"by {', '.join(sorted(self._named))}, more than {self.benchmark.max_failed:.0%}; "
                "mend the objective so that it gives a finite number for any text"
            )
        return np.where(missing, [o.worst for o in objectives], scores)
