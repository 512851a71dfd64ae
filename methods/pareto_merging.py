"""Pareto Merging: a merged model and a low-rank change of it that depends on the preference.

Chen and Kwok, "You Only Merge Once: learning the Pareto set of preference-aware model merging",
arXiv 2408.12105. W(mu) = W_merged + A (sum_k mu_k G_k) B, one mu from a Dirichlet per step, learnt
without data, by the distance to the merged models. Its body could not be read and no code exists:
the form is second-hand, the distance recalled. The paper also learns from the entropy on unlabelled
data, which makes sense for classifiers; here reward or preference feedback takes its place.

The merged models are Rewarded Soup's specialists, trained within the budget, and W_merged is their
uniform soup. It fills the part of the tied banks that is always on, and is not trained further.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Literal

import torch
from torch.nn import Parameter

from paretosteer import (
    Array,
    Banks,
    Benchmark,
    Control,
    Feedback,
    Method,
    TiedBanks,
    Trainer,
    TrainingOptions,
    UnsupportedError,
    dirichlet,
    one_per_batch,
    option,
)
from paretosteer.policies.banks import BankedLinear
from paretosteer.policies.base import Conditioned
from paretosteer.policies.tied_banks import TiedLinear
from paretosteer.training.model_distance import ModelDistance


class ParetoMerging(Method):
    """Tied banks over the uniform merge of specialists."""

    class Options(TrainingOptions):
        """Options of Pareto Merging."""

        tensor_rank: int = option(16, "rank of the update that depends on the preference", least=1)
        learning: Literal["distance", "feedback"] = option(
            "distance", "training signal of this update: distance to the specialists, or feedback"
        )
        feedback: str = option("reward", "training feedback of the specialists")
        specialist_share: float = option(
            0.7, "share of the budget that trains the specialists", above=0, most=0.99
        )
        concentration: float = option(1.0, "Dirichlet concentration of the weights", above=0)

    def conditioning(self, objectives: int) -> TiedBanks:
        """Slots for the factors of all specialists, and those of the tensor."""
        o = self.options
        alpha = o.alpha / o.rank * o.tensor_rank  # so that both parts have the specialists' scale
        fixed = objectives * o.rank
        return TiedBanks(objectives, o.tensor_rank, alpha, fixed, dropout=o.dropout)

    def train(self, benchmark: Benchmark, trainer: Trainer) -> None:
        """Train the specialists, merge them, and learn the tensor with the remaining budget."""
        m, o = len(benchmark.objectives), self.options
        specialists = Banks(m, o.rank, o.alpha, dropout=o.dropout)
        self.build_policy(benchmark, trainer.seed, specialists)
        o = self.options  # now with the benchmark's defaults
        # Built before any training, since it refuses models that have no layers.
        merged = benchmark.start_policy(self.conditioning(m), trainer.seed)
        share = max(m, round(o.specialist_share * trainer.steps))
        steps = trainer.account.split(min(share, trainer.steps), m)
        self.train_specialists(benchmark, trainer, steps)
        free, layers = merge(self.policy, merged)
        self.policy = merged
        learner: Feedback = ModelDistance(layers)
        if o.learning == "feedback":
            learner = self.feedback(benchmark, trainer, o.feedback)
        trainer.fit(
            "tensor",
            self.policy,
            learner,
            draw=one_per_batch(dirichlet(m, o.concentration)),
            control=lambda draws: self.control(draws.weights),
            parameters=free,
            steps=trainer.split(1)[0],
            optimiser=o.learning_rate,
        )

    def control(
        self, preferences: Array, dials: Sequence[Mapping[str, float]] | None = None
    ) -> Control:
        """c = mu."""
        return Control.soup(preferences)


@torch.no_grad()
def merge(specialists: object, merged: object) -> tuple[list[Parameter], list[TiedLinear]]:
    """Put the uniform soup of specialists in the fixed slots; return what is left to train."""
    free, layers = [], []
    if not (isinstance(specialists, Conditioned) and isinstance(merged, Conditioned)):
        raise UnsupportedError("the policies of this benchmark have no layers to merge")
    for name, layer in merged.layers.items():
        source = specialists.layers[name]
        assert isinstance(layer, TiedLinear) and isinstance(source, BankedLinear)
        a, b = torch.cat([*source.A]), torch.cat([*source.B], dim=1)
        free += layer.fix(a, b, torch.eye(len(a)).to(a) / source.count)
        layers.append(layer)
    return free, layers
