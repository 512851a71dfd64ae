"""Preference feedback with a penalty on losses that are not along the weights."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from paretosteer.benchmark import Benchmark
from paretosteer.training.draws import Draws
from paretosteer.training.feedback import Batch, Feedback, FeedbackTrainer, Preference


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

    def aggregate(self, losses: Tensor, batch: Batch, draws: Draws) -> Tensor:
        """Weighted losses - strength * cos(w, L), for one w per batch."""
        w = losses.new_tensor(draws.weights[0])
        cosine = torch.cosine_similarity(w, losses.mean(dim=0), dim=0)
        return super().aggregate(losses, batch, draws) - self.strength * cosine
