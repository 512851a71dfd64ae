"""GenARM: autoregressive reward models, one per objective, mixed with the start model.

Xu et al., "GenARM: Reward Guided Generation with Autoregressive Reward Model for Test-Time
Alignment", arXiv 2410.08193. A reward model is a language model: bank i is trained on the pairs of
objective i with the reference-free loss -log sigmoid(beta_r (log pi_i(y+) - log pi_i(y-))), and

    log pi = log pi_0 + sum_i (mu_i / beta) log pi_i - const

at every token. With pi_i proportional to exp(r_i / beta_r), this is the optimum of mu . r at the KL
coefficient beta * beta_r. beta needs no training, so it is a second dial: a larger one stays closer
to the start model. All of the paper reached us through its released code and PARM's account of it
(arXiv 2505.06274), whose beta of 1 is the default.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from paretosteer import (
    Array,
    Benchmark,
    Control,
    Mixture,
    RewardGuided,
    Trainer,
    option,
)


class GenARM(RewardGuided):
    """m banks as reward models, mixed with the start model at every token."""

    class Options(RewardGuided.Options):
        """Options of GenARM."""

        feedback: str = option("reference_free", "training feedback of the reward models")
        beta: float = option(1.0, "decoding: reward model i has the weight mu_i / beta", above=0)

    def conditioning(self, objectives: int) -> Mixture:
        """One bank per objective."""
        o = self.options
        return Mixture(objectives, o.rank, o.alpha, o.scope, dropout=o.dropout)

    def train(self, benchmark: Benchmark, trainer: Trainer) -> None:
        """Train the reward models one after the other, sharing the budget evenly."""
        self.build_policy(benchmark, trainer.seed)
        self.train_specialists(benchmark, trainer)

    def control(
        self, preferences: Array, dials: Sequence[Mapping[str, float]] | None = None
    ) -> Control:
        """Weight 1 for the start policy, mu_i / beta for bank i."""
        mu = np.asarray(preferences)
        beta = np.array([dial.get("beta", self.options.beta) for dial in dials or [{}] * len(mu)])
        return Control.mixture(np.insert(mu / beta[:, None], 0, 1.0, axis=1))
