"""My method: the summary that `paretosteer list methods` shows.

This skeleton is Rewarded Soup (arXiv 2306.04488): one bank per objective, trained on that objective
alone, and mixed according to the preference. Change four places: how the policy is conditioned
(`conditioning`), what is trained on which weights (`train`), how a preference becomes a control
(`control`), and the options.
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
    option,
    unit,
)


class MyMethod(Method):
    """One bank per objective, trained on mostly that objective."""

    version = "1"  # raise it when the same options give different results

    class Options(TrainingOptions):
        """Options of every trained method (rank, learning_rate, …), and two of its own."""

        feedback: str = option("reward", "training feedback of the banks")
        own: float = option(
            1.0, "weight on its own objective with which a bank is trained", above=0, most=1
        )

    def conditioning(self, objectives: int) -> Banks:
        """Low-rank banks on all linear layers, mixed separately in every row."""
        o = self.options
        return Banks(objectives, o.rank, o.alpha, dropout=o.dropout)

    def train(self, benchmark: Benchmark, trainer: Trainer) -> None:
        """Train one bank after another; each gets an equal share of the budget's steps."""
        self.build_policy(benchmark, trainer.seed)
        for i, steps in enumerate(trainer.split(self.m)):
            feedback = self.feedback(benchmark, trainer, self.options.feedback)
            self.train_bank(i, f"bank {i}", self._weights(i), feedback, trainer, steps)

    def control(
        self, preferences: Array, dials: Sequence[Mapping[str, float]] | None = None
    ) -> Control:
        """Turn preferences (k, m) into soup coefficients (k, banks): here they are the same.

        Put anything else that this needs from training into `self.selection`, which is saved.
        """
        return Control.soup(np.asarray(preferences))

    def _weights(self, i: int) -> Array:
        """Training weights of bank i, (m,): `own` on objective i, the rest shared by the others."""
        own = self.options.own
        others = (1 - own) / (self.m - 1)
        return others + (own - others) * unit(self.m, i)


# Read by `--plugin`; an installed package declares entry points in its pyproject.toml instead.
paretosteer_plugins = {"methods": {"my_method": MyMethod}}
