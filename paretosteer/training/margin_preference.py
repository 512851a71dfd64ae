"""Preference feedback with a margin: DPO on one objective, the others' rewards as its margin.

MODPO (Zhou et al., arXiv 2310.03708), read in its released code. On lists of the anchor objective a
the loss is - sum_i zbar_i log softmax_i(rho_i) with

    rho = (1 / w_a) [beta (log pi - log pi_0) - sum_{k != a} w_k r_k],

for two candidates -log sigmoid(rho+ - rho-). Where a's labels follow its reward, as Bradley-Terry
labels do, the minimiser is pi_0 exp(w . r / beta), which is also MORL's optimum at kappa = beta.
With w = e_a it is plain DPO.

The rewards r_k are those of the lists in the unit of their labels, or the implicit rewards
beta (log pi_k - log pi_0) of a model for each objective, the bank `specialists[k]`. Neither changes
in training: implicit rewards are computed once for a list that has a key, one list at a time, so
that they do not depend on the batch.
"""

from __future__ import annotations

from collections.abc import Hashable, Mapping
from dataclasses import replace
from typing import Any, Literal

import numpy as np
import torch
from torch import Tensor

from paretosteer.benchmark import Benchmark
from paretosteer.errors import UnsupportedError
from paretosteer.interfaces import Array, Lists
from paretosteer.policies.control import Control
from paretosteer.policies.protocols import Policy
from paretosteer.training.draws import Draws
from paretosteer.training.feedback import Batch, Feedback, FeedbackTrainer, Preference

Anchor = Literal["first", "largest"]


class MarginPreference(Preference):
    """DPO on an anchor objective, with the weighted rewards of all others as margin.

    Attributes
    ----------
    anchor
        `first` takes objective 0, as published, whose weight must not be 0. `largest` takes the
        objective of the largest weight, which keeps 1 / w_a at most m.
    specialists
        Bank that was trained on each objective of the margin; None uses rewards.
    given
        Policy with the banks of the specialists; None: the policy that is trained.

    """

    anchor: Anchor = "largest"
    specialists: Mapping[int, int] | None = None
    given: Policy | None = None

    def __init__(self, benchmark: Benchmark, size: int | None, beta: float):
        super().__init__(benchmark, size, beta)
        self._margins: dict[Hashable, Tensor] = {}  # implicit rewards (n, m) by key of the list

    @classmethod
    def of(cls, benchmark: Benchmark, options: Any, trainer: FeedbackTrainer) -> Feedback:
        """As `Preference`, with the option `anchor` if the method has it."""
        feedback = super().of(benchmark, options, trainer)
        assert isinstance(feedback, cls)
        feedback.anchor = getattr(options, "anchor", "largest")
        return feedback

    def collect(
        self, policy: Policy, draws: Draws, control: Control, rng: np.random.Generator
    ) -> Batch:
        """Draw one list of the anchor objective per prompt row; UnsupportedError without rewards.

        `reward_calls` counts every candidate whose rewards are read, an upper bound where a
        benchmark remembers them.
        """
        anchors = self.anchors(draws.weights)
        one_hot = np.eye(draws.weights.shape[1])[anchors]
        batch = super().collect(policy, replace(draws, weights=one_hot), control, rng)
        assert batch.lists is not None
        if self.specialists is not None:
            return batch
        if batch.lists.score is None:
            raise UnsupportedError(
                f"{self.benchmark.name} has no rewards for the answers that it compares, so no "
                "margins can be computed; set method.margin=models"
            )
        return replace(batch, reward_calls=batch.lists.labels[..., 0].numel())

    def losses(
        self,
        policy: Policy,
        batch: Batch,
        draws: Draws,
        control: Control,
        margin: Tensor | None = None,
    ) -> Tensor:
        """As those of `Preference`, with the margin; `margin` adds to it."""
        assert batch.lists is not None
        weights, anchors = draws.weights, self.anchors(draws.weights)
        rows = np.arange(len(weights))
        ratio = weights / weights[rows, anchors][:, None]  # w_k / w_a
        steepness = np.repeat(1 / weights[rows, anchors][:, None], weights.shape[1], axis=1)
        ratio[rows, anchors] = 0
        rewards = self.rewards(policy, batch.lists)  # (lists, n, m)
        own = -torch.einsum("lnm,lm->ln", rewards, rewards.new_tensor(ratio))
        own = own if margin is None else own + margin
        return super().losses(policy, batch, replace(draws, temperatures=steepness), control, own)

    def aggregate(self, losses: Tensor, batch: Batch, draws: Draws) -> Tensor:
        """Mean over lists of the anchor's loss."""
        return losses[np.arange(len(losses)), self.anchors(draws.weights)].mean()

    def anchors(self, weights: Array) -> Any:
        """Objective whose pairs are used, (lists,), for weights (lists, m)."""
        if self.anchor == "largest":
            return weights.argmax(axis=1)
        return np.zeros(len(weights), dtype=int)

    def rewards(self, policy: Policy, lists: Lists) -> Tensor:
        """Rewards (lists, n, m) of the candidates, in the unit of the labels."""
        if self.specialists is None:
            rewards = lists.rewards
            assert rewards is not None
            return lists.label_scale * rewards
        if lists.keys is None:
            return self._implicit(policy, lists.candidates, lists.start_log_probs)
        size = lists.labels.shape[1]
        for i, key in enumerate(lists.keys):
            if key not in self._margins:
                candidates = lists.candidates.take(range(i * size, (i + 1) * size))
                start = lists.start_log_probs[i : i + 1]
                self._margins[key] = self._implicit(policy, candidates, start)[0]
        return torch.stack([self._margins[key] for key in lists.keys])

    @torch.no_grad()
    def _implicit(self, policy: Policy, candidates: Any, start: Tensor) -> Tensor:
        """beta (log pi_k - log pi_0) of every specialist, 0 elsewhere: (lists, n, m)."""
        assert self.specialists is not None
        implicit = torch.zeros(*start.shape, len(self.benchmark.objectives))
        for objective, bank in self.specialists.items():
            log_probs = (self.given or policy).list_log_probs(
                candidates, Control.bank([bank] * len(start))
            )
            implicit[..., objective] = self.beta * (log_probs - start.to(log_probs.device)).cpu()
        return implicit
