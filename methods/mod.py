"""MOD, multi-objective decoding: specialists whose next-token distributions are mixed.

Shi et al., "Decoding-Time Language Model Alignment with Multiple Objectives", arXiv 2406.18853.
The specialists are Rewarded Soup's, bank i trained on objective i. At every token, from their
distributions pi_i, with the preference as weights:

    reverse     log pi = sum_i mu_i log pi_i - const
    forward     pi = 1 / sum_i mu_i / pi_i, normalised
    alpha       pi = (sum_i mu_i pi_i^-a)^(-1/a), normalised; a -> 0 is reverse, a = 1 forward

Of optimal specialists, the first is the optimum of mu . r (exactly so where a sample is one
decision). The other two leave out the constant that their optimum has; `constant: solve` puts it in
(see `paretosteer.policies.power_mean`). The rules are those of the released code, which however
accumulates logits where these need log-probabilities; and our specialists are trained under the
reverse KL whatever the rule. Participants of weight 0 are not run.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Literal

import numpy as np

from paretosteer import (
    Array,
    Benchmark,
    Control,
    Method,
    Mixture,
    Trainer,
    TrainingOptions,
    UsageError,
    option,
)
from paretosteer.methods.rewarded_soup import specialists
from paretosteer.policies.power_mean import PowerMean


class MOD(Method):
    """m banks, bank i trained on objective i, mixed at every token."""

    class Options(TrainingOptions):
        """Options of MOD."""

        feedback: str = option("reward", "training feedback of the specialists")
        divergence: Literal["reverse", "forward", "alpha"] = option(
            "reverse", "rule: geometric mean, harmonic mean, or power mean of exponent -order"
        )
        order: float | None = option(
            None,
            "order of the alpha-divergence; near 0: reverse KL, 1: forward KL",
            above=0,
            only={"divergence": ("alpha",)},
        )
        constant: Literal["none", "solve"] = option(
            "none",
            "leave out the optimum's constant, or solve for it",
            only={"divergence": ("forward", "alpha")},
        )

    def check(self, objectives: int) -> None:
        """Check that divergence=alpha has an order."""
        o = self.options
        if o.divergence == "alpha" and o.order is None:
            raise UsageError("method.order: required with divergence=alpha; set method.order=0.5")

    def conditioning(self, objectives: int) -> Mixture:
        """One bank per objective."""
        o = self.options
        return Mixture(objectives, o.rank, o.alpha, dropout=o.dropout)

    def shared_training(self) -> tuple[str, Mapping[str, Any]]:
        """Rewarded Soup under the same training options."""
        return specialists(self.options)

    def train_from(self, checkpoint: Path, benchmark: Benchmark, trainer: Trainer) -> None:
        """Take the specialists of a checkpoint of the shared training."""
        self.load(checkpoint, benchmark)

    def train(self, benchmark: Benchmark, trainer: Trainer) -> None:
        """Train the specialists one after the other, sharing the budget evenly."""
        self.build_policy(benchmark, trainer.seed)
        self.train_specialists(benchmark, trainer)

    def control(
        self, preferences: Array, dials: Sequence[Mapping[str, float]] | None = None
    ) -> Control:
        """Weight mu_i for bank i, and none for the start policy."""
        return Control.mixture(np.insert(preferences, 0, 0.0, axis=1), rule=self._rule)

    @property
    def _rule(self) -> PowerMean | None:
        o = self.options
        if o.divergence == "reverse":
            return None
        return PowerMean(1.0 if o.divergence == "forward" else o.order, o.constant == "solve")
