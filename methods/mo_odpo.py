"""MO-ODPO, multi-objective online DPO: one policy that reads the preference in its prompt.

"Robust Multi-Objective Preference Alignment with Online DPO", arXiv 2503.00295. For every prompt a
preference w is drawn from a Dirichlet and written before it; two answers are sampled from the
current policy; the one with the higher w . r is the winner of a DPO step on the prompt with w. No
code was released, and the paper's body could not be read: this follows second-hand notes. Those of
MI-EPO (arXiv 2607.01392) describe it with each objective's own winner, `label=per_objective`.

Labels by the higher value have no finite optimum in a table of logits: training stops with the
budget. `winner=sampled` (ours) draws them from the Bradley-Terry model of w . r, and the optimum is
log pi_0 + w . r / beta; `winner=expected` has the same optimum without the noise of the draws.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import cached_property
from typing import ClassVar, Literal

import numpy as np

from paretosteer import (
    Array,
    Benchmark,
    Conditioning,
    Control,
    Method,
    Trainer,
    TrainingOptions,
    dirichlet,
    option,
    preference_control,
)

# Conditionings without a network that reads a vector.
_FEATURES = {"condition": ("prompt_text", "shifts", "banks", "tied_banks", "mixture")}


class MOODPO(Method):
    """One policy conditioned on w, trained by DPO on its own pairs."""

    class Options(TrainingOptions):
        """Options of MO-ODPO."""

        feedback: ClassVar[str] = "online_pairs"
        label: Literal["scalarised", "per_objective"] = option(
            "scalarised", "one winner by w . r, or one per objective with weighted losses"
        )
        winner: Literal["argmax", "sampled", "expected"] = option(
            "argmax",
            "winner: the higher value, a draw from the Bradley-Terry model, or its expectation",
        )
        concentration: float = option(
            1.0, "Dirichlet concentration of the training weights", above=0
        )
        condition: str | None = option(
            None,
            "prompt_text (words), features (soft prompt), shifts (of layer outputs), banks or "
            "another conditioning that reads weights; null: the benchmark's",
            bare=True,
        )
        tokens: int = option(4, "soft prompt vectors", least=1, unless=_FEATURES)
        hidden: int = option(
            64, "hidden width of the soft prompt's network", least=1, unless=_FEATURES
        )

    def check(self, objectives: int) -> None:
        """Check that the conditioning reads preferences."""
        preference_control(self._kind.steered_by, np.eye(objectives), ["?"] * objectives)

    def conditioning(self, objectives: int) -> Conditioning:
        """Of the chosen kind, prompt text by default."""
        return self._kind.of(objectives, self.options)

    def train(self, benchmark: Benchmark, trainer: Trainer) -> None:
        """Spend the whole budget on one policy."""
        self.build_policy(benchmark, trainer.seed)
        draw = dirichlet(self.m, self.options.concentration)
        self.train_policy(self.feedback(benchmark, trainer, self.options.feedback), trainer, draw)

    def control(
        self, preferences: Array, dials: Sequence[Mapping[str, float]] | None = None
    ) -> Control:
        """Preference as words, or as the conditioning reads it."""
        names = [objective.name for objective in self.objectives]
        return preference_control(self._kind.steered_by, preferences, names)

    @property
    def notes(self) -> Sequence[str]:
        """Caveat of labels by the higher value."""
        if self.options.winner != "argmax":
            return ()
        return (
            "With winner=argmax the loss has no finite optimum, so the KL to the start model grows "
            "with the budget; where the points subtract the KL, it may do worse than the start "
            "model.",
        )

    @cached_property
    def _kind(self) -> type[Conditioning]:
        return self.conditioning_kind(self.options.condition or "prompt_text")
