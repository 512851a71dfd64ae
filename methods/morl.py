"""MORL: one model per preference, the expensive reference.

Every point of the method's own training grid gets a bank and the whole budget of optimiser steps; a
preference off that grid is served by the nearest trained one. Exempt from the cap on steps, and
marked so wherever it is shown; with `share` the models divide one budget, as the others must.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from paretosteer.benchmark import Benchmark
from paretosteer.config.options import option
from paretosteer.interfaces import Array
from paretosteer.method import Method, TrainingOptions
from paretosteer.policies.conditioning import Banks
from paretosteer.policies.control import Control
from paretosteer.simplex import coarse_divisions, lattice, lattice_size
from paretosteer.training.trainer import Trainer


class MORL(Method):
    """One bank per point of a coarse lattice, each trained on that point's scalarisation."""

    @property
    def exempt(self) -> bool:  # type: ignore[override]
        """Each model has the whole budget, unless they share it."""
        return not self.options.share

    class Options(TrainingOptions):
        """Options of MORL."""

        feedback: str = option("reward", "what teaches each model")
        divisions: int | None = option(
            None, "divisions of the training lattice; none: half the usual", least=1
        )
        share: bool = option(False, "share one budget among the models: no longer exempt from it")

    def conditioning(self, objectives: int) -> Banks:
        """One bank per trained preference."""
        o = self.options
        return Banks(self._models(objectives), o.rank, o.alpha, dropout=o.dropout)

    def train(self, benchmark: Benchmark, trainer: Trainer) -> None:
        """Train every model, with the whole budget or its share of it."""
        self.build_policy(benchmark, trainer.seed)
        grid = self._grid(self.m)
        trainer.steps = self.total_steps(trainer.steps, self.m)
        for i, (mu, steps) in enumerate(zip(grid, trainer.split(len(grid)), strict=True)):
            feedback = self.feedback(benchmark, trainer, self.options.feedback)
            self.train_bank(i, f"preference {mu.round(3).tolist()}", mu, feedback, trainer, steps)

    def total_steps(self, budget: int, objectives: int) -> int:
        """The whole budget for every model, or once."""
        return budget if self.options.share else budget * self._models(objectives)

    def control(
        self, preferences: Array, dials: Sequence[Mapping[str, float]] | None = None
    ) -> Control:
        """The nearest trained preference."""
        apart = np.linalg.norm(np.asarray(preferences)[:, None] - self._grid(self.m)[None], axis=-1)
        return Control.bank(apart.argmin(axis=1))

    def _grid(self, objectives: int) -> Array:
        """The training preferences, (n, m)."""
        return lattice(objectives, self._divisions(objectives))

    def _models(self, objectives: int) -> int:
        """How many training preferences there are."""
        return lattice_size(objectives, self._divisions(objectives))

    def _divisions(self, objectives: int) -> int:
        return self.options.divisions or coarse_divisions(objectives)
