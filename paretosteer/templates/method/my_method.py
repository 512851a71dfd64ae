"""My method: the line that `paretosteer list methods` shows of it.

It begins as Rewarded Soup (arXiv 2306.04488), one bank of weights per objective, each trained on
its own objective alone and mixed by the preference. Four places are yours to change: what carries
the preference (`conditioning`), what is trained on which weights (`train`), how a preference
becomes a control (`control`), and the options.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from paretosteer.benchmark import Benchmark
from paretosteer.config.options import option
from paretosteer.interfaces import Array
from paretosteer.method import Method, TrainingOptions
from paretosteer.policies.conditioning import Banks
from paretosteer.policies.control import Control
from paretosteer.training.trainer import Trainer, unit


class MyMethod(Method):
    """One bank per objective, trained on mostly that objective."""

    version = "1"  # raise it when the same options come to mean other work

    @dataclass(frozen=True)
    class Options(TrainingOptions):
        """Those of every trained method (rank, learning_rate, …), and its own."""

        feedback: Literal["reward", "preference"] = option("reward", "what teaches the banks")
        own: float = option(
            1.0, "weight of its own objective that a bank is trained with", above=0, most=1
        )

    def conditioning(self, objectives: int) -> Banks:
        """What carries the preference: low-rank banks on all linear layers, mixed row by row."""
        o = self.options
        return Banks(objectives, o.rank, o.alpha, dropout=o.dropout)

    def train(self, benchmark: Benchmark, trainer: Trainer) -> None:
        """What is trained on which weights; the banks share the budget's steps evenly."""
        self.build_policy(benchmark, trainer.seed)
        for i, steps in enumerate(trainer.split(self.m)):
            feedback = self.feedback(benchmark, trainer, self.options.feedback)
            self.train_bank(i, f"bank {i}", self._weights(i), feedback, trainer, steps)

    def control(
        self, preferences: Array, dials: Sequence[Mapping[str, float]] | None = None
    ) -> Control:
        """How preferences (k, m) become k rows of coefficients, (k, banks): here c = mu.

        What it needs beside them from training belongs into `self.selection`, which is saved.
        """
        return Control.soup(np.asarray(preferences))

    def _weights(self, i: int) -> Array:
        """Training weights of bank i, (m,): `own` on its objective, the rest on the others."""
        own = self.options.own
        others = (1 - own) / (self.m - 1)
        return others + (own - others) * unit(self.m, i)


# What `--plugin` takes from this file; an installed package says so in its pyproject.toml.
paretosteer_plugins = {"methods": {"my_method": MyMethod}}
