"""PARM: one autoregressive reward model for every preference, mixed with the start model.

Lin et al., "PARM: Multi-Objective Test-Time Alignment via Preference-Aware Autoregressive Reward
Model", arXiv 2505.06274. GenARM's reward models become one, whose change of the start model is
PBLoRA's s (B_1 W_1 A_1 + B_2 (sum_k mu_k W_2k) A_2). It is trained reference-free on
sum_i mu_i L_i, with one mu from a Dirichlet per optimiser step, and

    log pi = log pi_0 + (1 / beta) log pi_mu - const

at every token. beta needs no training, so it is a second dial. The sign of the paper's eq. 3 would
reward the worse answer; this is the loss of its text and code. PBLoRA has 4 + 4 slots, s = 8 / 4.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from paretosteer import (
    Array,
    Benchmark,
    Control,
    RewardGuided,
    TiedBanks,
    Trainer,
    dirichlet,
    one_per_batch,
    option,
)


class PARM(RewardGuided):
    """One reward model with tied banks, mixed with the start model at every token."""

    class Options(RewardGuided.Options):
        """Options of PARM."""

        feedback: str = option("reference_free", "training feedback of the reward model")
        rank: int = option(4, "rank of the part mixed by the preference", least=1)
        always_on: int = option(4, "rank of the part shared by all preferences", least=0)
        concentration: float = option(
            0.5, "Dirichlet concentration of the training weights", above=0
        )
        beta: float = option(1.0, "decoding: the reward model has the weight 1 / beta", above=0)

    def conditioning(self, objectives: int) -> TiedBanks:
        """PBLoRA, one inner matrix per objective."""
        o = self.options
        shape = (objectives, o.rank, o.alpha, o.always_on)
        return TiedBanks(*shape, scope=o.scope, dropout=o.dropout)

    def train(self, benchmark: Benchmark, trainer: Trainer) -> None:
        """Spend the whole budget on one reward model."""
        self.build_policy(benchmark, trainer.seed)
        feedback = self.feedback(benchmark, trainer, self.options.feedback)
        draw = one_per_batch(dirichlet(self.m, self.options.concentration))
        # Trained alone, without the start model that answers beside it.
        self.train_policy(feedback, trainer, draw, lambda draws: Control.soup(draws.weights))

    def control(
        self, preferences: Array, dials: Sequence[Mapping[str, float]] | None = None
    ) -> Control:
        """Weight 1 for the start policy, 1 / beta for the reward model at the preference."""
        rows = len(preferences)
        strength = [1 / dial.get("beta", self.options.beta) for dial in dials or [{}] * rows]
        weights = np.column_stack([np.ones(rows), strength])
        return Control.mixture(weights, [Control.start(rows), Control.soup(preferences)])
