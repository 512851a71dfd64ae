"""Objectives that are functions of the text alone."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Callable, Sequence

import numpy as np

from paretosteer.errors import PLUGIN_ERRORS, UsageError, stops_job
from paretosteer.interfaces import Array
from paretosteer.objective import Objective, TextObjective
from paretosteer.plugins import registry
from paretosteer.runtime.time_limit import OverrunError, time_limit
from paretosteer.text.benchmark import TextBenchmark
from paretosteer.text.samples import TextSamples

Score = Callable[[str], float]


class ScoredByFunctions(TextBenchmark):
    """A text benchmark whose objectives need nothing but the continuation."""

    @abstractmethod
    def scored(self) -> Sequence[tuple[Objective, Score]]:
        """Objectives, each with the function of a continuation that measures it."""

    def declared(self) -> Sequence[Objective]:
        """Objectives without their functions."""
        return [objective for objective, _ in self.scored()]

    def score(self, samples: TextSamples) -> Array:
        """Raw scores (rows, m); NaN where an objective raises, hangs or gives no finite number."""
        functions, limit = [function for _, function in self.scored()], self.setting.score_seconds
        return np.array([[_safely(f, text, limit) for f in functions] for text in samples.texts])


def _safely(score: Score, text: str, limit: float | None) -> float:
    """A score, or NaN after an error or timeout, which the caller counts."""
    try:
        with time_limit(limit):
            return float(score(text))
    except (*PLUGIN_ERRORS, OverrunError) as error:
        if stops_job(error):
            raise
        return float("nan")


def text_objectives(names: Sequence[str]) -> list[TextObjective]:
    """Registered objectives of these names.

    Raises
    ------
    UsageError
        If a name is not registered, or unless there are two or more different names.

    """
    if len(names) < 2 or len(set(names)) < len(names):
        raise UsageError(
            f"benchmark.objectives: found {list(names)}, expected two or more different ones"
        )
    return [_text_objective(name) for name in names]


def _text_objective(name: str) -> TextObjective:
    if registry.find("objectives", name) is None:
        remedy = registry.closest(name, registry.names("objectives"))
        raise UsageError(f"benchmark.objectives: {name!r} is unknown; {remedy}")
    objective: TextObjective = registry.load("objectives", name)
    return objective
