"""MORL: one model per preference, the expensive reference.

Every point of the method's own training grid gets a bank and the whole budget of optimiser steps; a
preference off that grid gets the nearest trained model. Exempt from the cap on steps, and marked as
such in every table; with `share` all models divide one budget, as other methods do.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from paretosteer import (
    Array,
    Banks,
    Benchmark,
    Control,
    Method,
    Trainer,
    TrainingOptions,
    coarse_divisions,
    lattice,
    lattice_size,
    option,
)


class MORL(Method):
    """One bank per point of a coarse lattice, each trained on that point's scalarisation."""

    @property
    def exempt(self) -> bool:  # type: ignore[override]
        """True unless the models share one budget."""
        return not self.options.share

    class Options(TrainingOptions):
        """Options of MORL."""

        feedback: str = option("reward", "training feedback of each model")
        divisions: int | None = option(
            None, "divisions of the training lattice; null: half the usual", least=1
        )
        share: bool = option(False, "share one budget among the models, which ends the exemption")

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
        """Budget times the number of models; with `share`, the budget."""
        return budget if self.options.share else budget * self._models(objectives)

    def control(
        self, preferences: Array, dials: Sequence[Mapping[str, float]] | None = None
    ) -> Control:
        """Bank of the nearest trained preference."""
        apart = np.linalg.norm(np.asarray(preferences)[:, None] - self._grid(self.m)[None], axis=-1)
        return Control.bank(apart.argmin(axis=1))

    def _grid(self, objectives: int) -> Array:
        """Training preferences, (n, m)."""
        return lattice(objectives, self._divisions(objectives))

    def _models(self, objectives: int) -> int:
        """Number of training preferences."""
        return lattice_size(objectives, self._divisions(objectives))

    def _divisions(self, objectives: int) -> int:
        return self.options.divisions or coarse_divisions(objectives)
