"""MORL: one model per preference, the expensive reference.

Every point of the method's own training grid gets a bank and the whole budget of optimiser steps; a
preference off that grid gets the nearest trained model. Exempt from the cap on steps, and marked as
such in every table; with `share` all models divide one budget, as other methods do.
"""

from __future__ import annotations

from paretosteer import Benchmark, ModelPerPreference, Trainer, option


class MORL(ModelPerPreference):
    """One bank per point of a coarse lattice, each trained on that point's scalarisation."""

    class Options(ModelPerPreference.Options):
        """Options of MORL."""

        feedback: str = option("reward", "training feedback of each model")

    def train(self, benchmark: Benchmark, trainer: Trainer) -> None:
        """Train every model, with the whole budget or its share of it."""
        self.build_policy(benchmark, trainer.seed)
        grid = self.grid(self.m)
        trainer.steps = self.total_steps(trainer.steps, self.m)
        for i, (mu, steps) in enumerate(zip(grid, trainer.split(len(grid)), strict=True)):
            feedback = self.feedback(benchmark, trainer, self.options.feedback)
            self.train_bank(i, f"preference {mu.round(3).tolist()}", mu, feedback, trainer, steps)
