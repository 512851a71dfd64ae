"""Feedback `preference_contrast`: online pairs, and a contrast between preferences."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.nn.functional import logsigmoid

from paretosteer.benchmark import Benchmark
from paretosteer.errors import UsageError
from paretosteer.policies.control import Control
from paretosteer.policies.protocols import Policy
from paretosteer.training.draws import Draws
from paretosteer.training.feedback import Batch, Feedback, FeedbackTrainer
from paretosteer.training.online_pairs import Label, OnlinePairs, Winner


class PreferenceContrast(OnlinePairs):
    """Online pairs, whose samples also become less likely under another preference.

    Adds 1/2 sum_y -log sigma(beta_w [log pi(y|x, w) - log pi(y|x, w')]) over the two samples y of a
    prompt, the first term without gradient. After MI-EPO (arXiv 2607.01392), whose ratios to the
    start policy cancel. w' is the preference of the batch's previous prompt, which is another draw
    from the same distribution; where both are equal there is nothing to contrast. It is that of the
    whole batch, however memory splits it.
    """

    flops_per_weight = OnlinePairs.flops_per_weight + 6.0  # forward and backward under w'

    def __init__(
        self,
        benchmark: Benchmark,
        beta: float,
        label: Label = "per_objective",
        winner: Winner = "argmax",
        beta_w: float = 0.01,
    ):
        super().__init__(benchmark, beta, label, winner)
        self.beta_w = beta_w
        if beta_w == 0:
            self.flops_per_weight = OnlinePairs.flops_per_weight

    @classmethod
    def of(cls, benchmark: Benchmark, options: Any, trainer: FeedbackTrainer) -> Feedback:
        """Build it with the temperatures and, where a method has them, its other options."""
        label: Any = getattr(options, "label", "per_objective")
        winner: Any = getattr(options, "winner", "argmax")
        beta_w = getattr(options, "beta_w", 0.01)
        return cls(benchmark, options.beta_dpo, label, winner, beta_w)

    def loss(self, policy: Policy, batch: Batch, draws: Draws, control: Control) -> Tensor:  # type: ignore[override]
        """Loss of the online pairs plus the contrast, mean over prompts."""
        loss = super().loss(policy, batch, draws, control)
        return loss if self.beta_w == 0 else loss + self.contrast(policy, batch, draws)

    def complete(self, draws: Draws) -> Draws:
        """Give every prompt the previous one's weights; UsageError if it is the only one."""
        if self.beta_w == 0:
            return draws
        if len(draws.weights) == 1:
            raise UsageError(
                "budget.prompts: a batch of one prompt has no other preference to contrast with; "
                "set at least 2 for each process"
            )
        return replace(draws, others=np.roll(draws.weights, 1, axis=0))

    def contrast(self, policy: Policy, batch: Batch, draws: Draws) -> Tensor:
        """Contrast between the draws' weights and the other ones, a mean over samples."""
        assert batch.others is not None and draws.others is not None
        differs = (draws.weights != draws.others).any(axis=1)  # (prompts,)
        samples = batch.samples
        other = policy.log_probs(samples, batch.others.take(batch.prompt_of)).sum(dim=1)
        # The policy has not changed since it sampled: there is one update on each batch.
        margin = samples.log_probs.sum(dim=1).to(other.device) - other  # (rows,)
        kept = torch.as_tensor(differs, device=other.device)[batch.prompt_of]
        return -(logsigmoid(self.beta_w * margin) * kept).mean()
