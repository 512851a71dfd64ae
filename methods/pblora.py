"""PBLoRA as a policy: a bilinear low-rank change whose inner matrix is linear in the preference.

Lin et al., "PARM: multi-objective test-time alignment via preference-aware autoregressive reward
model", arXiv 2505.06274. Delta(mu) = (alpha / r2) [B1 W1 A1 + B2 (sum_k mu_k W2_k) A2], read in the
paper and in its code, with r1 = r2 = 4, alpha = 8, B = 0 and the rest as LoRA's A. There it
conditions a reward model that guides decoding; here the policy itself has it and is trained with
our feedback, as CLP is. Weights are drawn from a Dirichlet of concentration 0.5, once per step.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Literal

from paretosteer import (
    Array,
    Benchmark,
    Control,
    Method,
    TiedBanks,
    Trainer,
    TrainingOptions,
    dirichlet,
    one_per_batch,
    option,
)


class PBLoRA(Method):
    """Full tied banks with a part that is always on, trained on sampled weights."""

    class Options(TrainingOptions):
        """Options of PBLoRA."""

        rank: int = option(4, "rank r2 of the part that depends on the preference", least=1)
        always_on: int = option(
            4, "rank r1 of the part that is the same for all preferences", least=0
        )
        feedback: str = option("reward", "training feedback")
        concentration: float = option(
            0.5, "Dirichlet concentration of the training weights", above=0
        )
        draw: Literal["step", "prompt"] = option(
            "step", "one draw of weights for each optimiser step, or for each prompt"
        )

    def conditioning(self, objectives: int) -> TiedBanks:
        """An inner matrix per objective, and one that is always on."""
        o = self.options
        return TiedBanks(objectives, o.rank, o.alpha, o.always_on, dropout=o.dropout)

    def train(self, benchmark: Benchmark, trainer: Trainer) -> None:
        """Spend the whole budget on one model."""
        self.build_policy(benchmark, trainer.seed)
        draw = dirichlet(self.m, self.options.concentration)
        if self.options.draw == "step":
            draw = one_per_batch(draw)
        feedback = self.feedback(benchmark, trainer, self.options.feedback)
        self.train_policy(feedback, trainer, draw)

    def control(
        self, preferences: Array, dials: Sequence[Mapping[str, float]] | None = None
    ) -> Control:
        """c = mu."""
        return Control.soup(preferences)
