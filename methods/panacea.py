"""Panacea: the preference as singular values of one low-rank change, learnt for all preferences.

Zhong et al., "Panacea: Pareto alignment via preference adaptation for LLMs", arXiv 2402.02030. In
every layer Delta(mu) = B diag(sigma_1 ... sigma_k, s mu_1 ... s mu_m) A with sigma and one s learnt
per layer; one mu is drawn per batch, and its objectives are aggregated linearly or by Tchebycheff.

The paper's body could not be read. The parametrisation, the draw per batch and both aggregations
are second-hand; the orthogonality regulariser of A and B is recalled and left out. We start from
B = 0 and ones inside, so that training begins at the start model; third-party code draws sigma and
s at random.
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
    UsageError,
    dirichlet,
    one_per_batch,
    option,
)

_TCHEBYCHEFF = {"reward": "tchebycheff_reward", "preference": "tchebycheff_preference"}


class Panacea(Method):
    """Diagonal tied banks, trained on one draw of the simplex per batch."""

    class Options(TrainingOptions):
        """Options of Panacea."""

        rank: int = option(
            8, "number of learnt singular values, besides those set by the preference", least=1
        )
        feedback: str = option("reward", "training feedback")
        aggregation: Literal["linear", "tchebycheff"] = option(
            "linear", "sum of the weighted objectives, or the one with the largest weighted loss"
        )
        ideal: float = option(
            3.0,
            "ideal value of every objective, in standard deviations of the start model",
            only={"aggregation": ("tchebycheff",), "feedback": ("reward",)},
        )
        concentration: float = option(
            1.0, "Dirichlet concentration of the training weights", above=0
        )

    def check(self, objectives: int) -> None:
        """Check that the feedback has losses that Tchebycheff can compare."""
        o = self.options
        if o.aggregation == "tchebycheff" and o.feedback not in _TCHEBYCHEFF:
            raise UsageError(
                f"method.aggregation: tchebycheff needs a loss per objective, which feedback "
                f"{o.feedback!r} does not have; set method.feedback to one of "
                f"{', '.join(_TCHEBYCHEFF)}, or aggregation=linear"
            )

    def conditioning(self, objectives: int) -> TiedBanks:
        """A slot per objective, and `rank` slots that are always on."""
        o = self.options
        alpha = o.alpha / o.rank * objectives  # the conditioning divides by its mixed slots
        return TiedBanks(objectives, objectives, alpha, o.rank, "diagonal", dropout=o.dropout)

    def train(self, benchmark: Benchmark, trainer: Trainer) -> None:
        """Spend the whole budget on one model."""
        self.build_policy(benchmark, trainer.seed)
        kind = self.options.feedback
        if self.options.aggregation == "tchebycheff":
            kind = _TCHEBYCHEFF[kind]
        draw = one_per_batch(dirichlet(self.m, self.options.concentration))
        self.train_policy(self.feedback(benchmark, trainer, kind), trainer, draw)

    def control(
        self, preferences: Array, dials: Sequence[Mapping[str, float]] | None = None
    ) -> Control:
        """c = mu."""
        return Control.soup(preferences)
