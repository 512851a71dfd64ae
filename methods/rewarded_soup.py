"""Rewarded Soup: one specialist per objective, averaged with the preference as weights.

Ramé et al., "Rewarded soups", arXiv 2306.04488. Every bank is trained from the same start model on
its own objective alone; theta(mu) = theta_0 + sum_i mu_i Delta_i.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Literal

from paretosteer import (
    Array,
    Banks,
    BaseOptions,
    Benchmark,
    Control,
    Method,
    Trainer,
    TrainingOptions,
    option,
)
from paretosteer.policies.prompt_tuning import prompt_tuning


class RewardedSoup(Method):
    """m banks on all linear layers, bank i trained on objective i."""

    class Options(TrainingOptions):
        """Options of Rewarded Soup."""

        feedback: str = option("reward", "training feedback of the specialists")
        merge: Literal["sum", "factors"] = option(
            "sum",
            "exact sum of deltas, or the average of LoRA factors, as in some released code",
        )
        prompt_tokens: int = option(
            0,
            "virtual tokens before the text, trained with each bank (plain prompt tuning)",
            least=0,
        )

    def conditioning(self, objectives: int) -> Banks:
        """One bank per objective."""
        o = self.options
        kind = prompt_tuning(o.prompt_tokens)
        return kind(objectives, o.rank, o.alpha, merge=o.merge, dropout=o.dropout)

    def train(self, benchmark: Benchmark, trainer: Trainer) -> None:
        """Train the specialists one after the other, sharing the budget evenly."""
        self.build_policy(benchmark, trainer.seed)
        self.train_specialists(benchmark, trainer)

    def control(
        self, preferences: Array, dials: Sequence[Mapping[str, float]] | None = None
    ) -> Control:
        """c = mu."""
        return Control.soup(preferences)


def specialists(options: BaseOptions) -> tuple[str, dict[str, Any]]:
    """Rewarded Soup and its options as another method has them, to share the training."""
    names = RewardedSoup.Options.model_fields.keys() & type(options).model_fields.keys()
    return "rewarded_soup", {name: getattr(options, name) for name in sorted(names)}
