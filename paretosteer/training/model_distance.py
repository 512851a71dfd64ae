"""Data-free feedback: the distance of a steered change to the specialists that it was merged from.

Pareto Merging (arXiv 2408.12105; its body could not be read, so this is second-hand) minimises, in
every layer, sum_k mu_k ||Delta(mu) - Delta_k||^2 in the Frobenius norm. Up to a term without
parameters this is ||Delta(mu) - sum_k mu_k Delta_k||^2, which is what is computed here, from the
factors alone:

    ||s B D A||^2 = s^2 sum((B D)^T (B D) * A A^T),    D = C(mu) - blockdiag(diag(mu), 0)

for tied banks whose slots that are always on hold the specialists' factors side by side.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from torch import Tensor

from paretosteer.benchmark import Benchmark
from paretosteer.errors import UsageError
from paretosteer.policies.control import Control
from paretosteer.policies.protocols import Policy
from paretosteer.policies.tied_banks import TiedLinear
from paretosteer.training.draws import Draws
from paretosteer.training.feedback import Batch, Feedback, FeedbackTrainer


class ModelDistance(Feedback):
    """Squared distance of layers to the weighted mean of the specialists in their fixed slots.

    Needs no data: its batches are empty and cost neither tokens nor reward calls.
    """

    source = "specialists"

    def __init__(self, layers: Sequence[TiedLinear]):
        self.layers = layers

    @classmethod
    def of(cls, benchmark: Benchmark, options: Any, trainer: FeedbackTrainer) -> Feedback:
        """Refuse: it is made from specialists, not from a benchmark."""
        raise UsageError("feedback: a distance to models needs specialists; set another feedback")

    def collect(
        self, policy: Policy, draws: Draws, control: Control, rng: np.random.Generator
    ) -> Batch:
        """Nothing but the draws."""
        rows = len(draws.weights)
        return Batch(None, torch.arange(rows), rows)

    def loss(self, policy: Policy, batch: Batch, draws: Draws, control: Control) -> Tensor:
        """Mean over the draws of the squared distance, summed over layers."""
        unique, counts = np.unique(draws.weights, axis=0, return_counts=True)
        losses = [count * self.distance(mu) for mu, count in zip(unique, counts, strict=True)]
        return torch.stack(losses).sum() / len(draws.weights)

    def distance(self, weights: Any) -> Tensor:
        """Squared distance under one draw of weights (m,)."""
        return torch.stack([_distance(layer, weights) for layer in self.layers]).sum()


def _distance(layer: TiedLinear, weights: Any) -> Tensor:
    mu = layer.A.new_tensor(weights)
    rank = layer.always_on // len(mu)  # of each specialist
    (inner,) = layer.inner(mu.unsqueeze(0))
    specialists = torch.zeros(len(inner), dtype=mu.dtype, device=mu.device)
    specialists[: layer.always_on] = mu.repeat_interleave(rank)
    outer = layer.B @ (inner - torch.diag(specialists))  # (out, slots)
    return layer.scale**2 * ((outer.T @ outer) * (layer.A @ layer.A.T)).sum()
