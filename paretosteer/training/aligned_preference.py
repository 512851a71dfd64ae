"""Preference feedback with a penalty on losses that are not along the weights."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from paretosteer.benchmark import Benchmark
from paretosteer.policies.control import Control
from paretosteer.policies.protocols import Policy
from paretosteer.training.draws import Draws
from paretosteer.training.feedback import Batch, Feedback, FeedbackTrainer, Penalty, Preference


class AlignedPreference(Preference):
    """Preference feedback that also rewards the cosine between weights and losses.

    The paper prints the opposite sign, which would reward misalignment; this is COSMOS's.
    """

    strength: float

    @classmethod
    def of(cls, benchmark: Benchmark, options: Any, trainer: FeedbackTrainer) -> Feedback:
        """Build it with the penalty of the options."""
        feedback = super().of(benchmark, options, trainer)
        assert isinstance(feedback, cls)
        feedback.strength = options.penalty
        return feedback

    def loss(
        self,
        policy: Policy,
        batch: Batch,
        draws: Draws,
        control: Control,
        margin: Tensor | None = None,
        penalty: Penalty | None = None,
    ) -> Tensor:
        """Weighted losses - strength * cos(w, L), for one w per batch."""
        return super().loss(policy, batch, draws, control, margin, penalty or self._misalignment)

    def _misalignment(self, weights: Tensor, losses: Tensor) -> Tensor:
        return -self.strength * torch.cosine_similarity(weights[0], losses.mean(dim=0), dim=0)
