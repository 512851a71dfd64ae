"""Scores of samples; counts those that could not be scored and fails if there are too many."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any
from uuid import uuid4

import numpy as np

from paretosteer import benchmark_outputs
from paretosteer.benchmark import Benchmark
from paretosteer.errors import ScoringError
from paretosteer.interfaces import Array
from paretosteer.objective import Objective
from paretosteer.runtime.time_limit import OverrunError, time_limit
from paretosteer.storage.origin import note_unscored
from paretosteer.storage.unscored import Unscored


@dataclass
class Scorer:
    """Scores in raw units; a sample without a score gets its objective's worst value.

    `grace` is the smallest number of samples over which the share of failures is computed, so that
    one failure in a small first batch does not end the run. Samples for a `purpose` other than the
    test are no part of the results; the record notes those of them that have no score.
    """

    benchmark: Benchmark
    grace: int = 0
    purpose: str = ""
    total: int = 0
    failed: int = 0
    _named: set[str] = field(default_factory=set)
    _name: str = field(default_factory=lambda: uuid4().hex)

    def state(self) -> dict[str, Any]:
        """Counts so far, as JSON."""
        return {"total": self.total, "failed": self.failed, "named": sorted(self._named)}

    def load_state(self, state: dict[str, Any]) -> None:
        """Restore counts that `state` returned."""
        self.total, self.failed = state["total"], state["failed"]
        self._named = set(state["named"])
        self._note()

    def score(self, samples: Any) -> Array:
        """Finite scores (rows, m).

        Raises
        ------
        ScoringError
            If, over all calls, a larger share than the benchmark allows (1 %) had no score.

        """
        return self.book(self.raw(samples))

    def raw(self, samples: Any) -> Array:
        """Return the benchmark's scores (rows, m), NaN where there is none, without counting them.

        Raises
        ------
        ScoringError
            If scoring takes longer than the setting's `score_seconds` per sample.
        PromiseError
            If the benchmark omits a sample or an objective.

        """
        limit = self.benchmark.setting.score_seconds
        try:
            with time_limit(None if limit is None else limit * len(samples)):
                return benchmark_outputs.scores(self.benchmark, samples)
        except OverrunError:
            raise ScoringError(
                f"benchmark.objectives: scoring {len(samples)} samples took more than "
                f"{limit:g} s per sample; make scoring faster or raise score_seconds"
            ) from None

    def book(self, scores: Array) -> Array:
        """Count raw scores (rows, m), and replace missing ones by the objective's worst value.

        Raises
        ------
        ScoringError
            As `score`.

        """
        self.count(scores)
        if self.failed > self.benchmark.max_failed * max(self.total, self.grace):
            remedy = " ".join(self.benchmark.scoring_notes) or (
                "fix the objective so that it returns a finite number for any text"
            )
            raise ScoringError(
                f"benchmark.objectives: {self.failed} of {self.total} samples could not be scored "
                f"by {', '.join(sorted(self._named))}, more than {self.benchmark.max_failed:.0%}; "
                f"{remedy}"
            )
        return filled(self.benchmark.objectives, scores)

    def count(self, scores: Array) -> None:
        """Count raw scores (rows, m), however many are missing."""
        missing = ~np.isfinite(scores)  # (rows, m)
        self.total += len(scores)
        self.failed += int(missing.any(axis=1).sum())
        names = [objective.name for objective in self.benchmark.objectives]
        self._named |= {name for name, bad in zip(names, missing.T, strict=True) if bad.any()}
        self._note()

    def _note(self) -> None:
        if self.purpose:
            names = tuple(sorted(self._named))
            note_unscored(self._name, Unscored(self.purpose, self.failed, self.total, names))


def filled(objectives: Sequence[Objective], scores: Array) -> Array:
    """Replace scores (rows, m) that are not finite by their objective's worst value."""
    return np.where(np.isfinite(scores), scores, [o.worst for o in objectives])
