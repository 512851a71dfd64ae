"""Softmax policies over actions: one logit per context and action, or a small network."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from paretosteer.interfaces import Drift
from paretosteer.policies.banks import BankedTable
from paretosteer.policies.base import Conditioned
from paretosteer.policies.common_random_numbers import gumbel, stream_keys
from paretosteer.policies.conditioning import Conditioning
from paretosteer.policies.control import Control
from paretosteer.policies.kl import exact_drift
from paretosteer.policies.perceptron import ConditionedPerceptron, Perceptron


@dataclass(frozen=True)
class Context:
    """Context in which an action is chosen: its name, and its index among all contexts."""

    id: str
    index: int


@dataclass(frozen=True)
class Actions:
    """One action per row, drawn from a policy."""

    contexts: tuple[Context, ...]
    action: Tensor  # (rows,) int64
    log_probs: Tensor  # (rows, 1)

    def __len__(self) -> int:
        return len(self.contexts)

    @property
    def mask(self) -> Tensor:
        """Every row is one action."""
        return torch.ones_like(self.log_probs, dtype=torch.bool)

    @property
    def tokens(self) -> int:
        """Actions."""
        return len(self)

    def take(self, rows: Sequence[int]) -> Actions:
        """These rows, repeats allowed."""
        contexts = tuple(self.contexts[i] for i in rows)
        return Actions(contexts, self.action[list(rows)], self.log_probs[list(rows)])


@dataclass(frozen=True)
class Distributions:
    """A policy's whole distribution per row: what it comes to is an exact expectation."""

    contexts: tuple[Context, ...]
    log_policy: Tensor  # (rows, K) float64

    def __len__(self) -> int:
        return len(self.contexts)

    @property
    def tokens(self) -> int:
        """Decisions."""
        return len(self)


@dataclass(frozen=True)
class Candidates:
    """Actions of one context to compare, per list."""

    contexts: tuple[Context, ...]
    actions: Tensor  # (lists, n) int64


class BanditPolicy:
    """Common part of both kinds of policy: everything that follows from their logits."""

    @abstractmethod
    def logits(self, contexts: Sequence[Context], control: Control) -> Tensor:
        """Logits (rows, K) of every action, one control row each."""

    def log_policy(self, contexts: Sequence[Context], control: Control) -> Tensor:
        """Log-probability (rows, K) of every action, mixed where several policies take part."""
        if not control.participants:
            return self.logits(contexts, control).log_softmax(dim=-1)
        parts = [self.log_policy(contexts, part) for part in control.participants]
        return control.combine(parts).log_softmax(dim=-1)

    @torch.no_grad()
    def sample(
        self, contexts: Sequence[Context], control: Control, seed: int, samples: Sequence[int]
    ) -> Actions:
        """Draw one action per row."""
        log_policy = self.log_policy(contexts, control)
        keys = stream_keys(seed, [x.id for x in contexts], samples).to(log_policy.device)
        action = (log_policy + gumbel(keys, 0, log_policy.shape[1])).argmax(dim=1)
        return Actions(tuple(contexts), action, log_policy.gather(1, action.unsqueeze(1)))

    @torch.no_grad()
    def answer(
        self, contexts: Sequence[Context], control: Control, seed: int, samples: Sequence[int]
    ) -> Distributions:
        """Exact distributions, so that figures have no sampling noise."""
        return Distributions(tuple(contexts), self._exact(contexts, control))

    @torch.no_grad()
    def drift(self, answers: Distributions, control: Control) -> Drift:
        """Exact KL and cross-entropy, nats per decision."""
        start = self._exact(answers.contexts, Control.start(control.rows))
        return exact_drift(answers.log_policy, start, torch.ones(len(answers)))

    def log_probs(self, samples: Actions, control: Control) -> Tensor:
        """Log-probability (rows, 1) of each row's action."""
        return self.log_policy(samples.contexts, control).gather(1, samples.action.unsqueeze(1))

    def list_log_probs(self, candidates: Candidates, control: Control) -> Tensor:
        """Log-probabilities (lists, n) of the actions to compare."""
        return self.log_policy(candidates.contexts, control).gather(1, candidates.actions)

    def _exact(self, contexts: Sequence[Context], control: Control) -> Tensor:
        """Log-probabilities normalised in float64."""
        return self.log_policy(contexts, control).double().log_softmax(dim=-1)


class TabularPolicy(Conditioned[BankedTable], BanditPolicy):
    """One logit per context and action; banks are full-rank, and a soup of optimal ones is optimal.

    Features are read by a small network that writes the whole table, or the whole change of it.
    """

    def __init__(self, start: Tensor, conditioning: Conditioning, seed: int):
        super().__init__(conditioning, seed)
        self.table = conditioning.table(start, self.active)  # (contexts, K)
        if self.table.count:
            self.layers = {"table": self.table}
        reader = conditioning.table_reader(start, torch.Generator().manual_seed(seed))
        self.reader = reader if reader is None else reader.to(start.device)

    @property
    def size(self) -> int:
        """Logits of one context, and what the conditioning adds to them."""
        read = sum(p.numel() for p in self.reader.parameters()) if self.reader else 0
        return self.table.base.shape[1] * (1 + self.table.count) + read

    def logits(self, contexts: Sequence[Context], control: Control) -> Tensor:
        """A row of the table per row of the batch."""
        control = control.to(self.table.base.device)
        rows = torch.tensor([x.index for x in contexts], device=self.table.base.device)
        with self.mixed(control):
            logits: Tensor = self.table(rows)
        if (change := self.read(control)) is not None:  # (rows, contexts * K)
            change = change.view(len(rows), *self.table.base.shape)[torch.arange(len(rows)), rows]
            logits = change if self.conditioning.replaces_start else logits + change
        return logits


class NetworkPolicy(ConditionedPerceptron, BanditPolicy):
    """Logits from the context's features, so that training generalises to new contexts."""

    def __init__(self, start: Perceptron, features: Tensor, conditioning: Conditioning, seed: int):
        super().__init__(start, conditioning, seed)
        self.features = features  # (contexts, d)

    def logits(self, contexts: Sequence[Context], control: Control) -> Tensor:
        """Outputs of the network for the contexts' features."""
        rows = torch.tensor([x.index for x in contexts], device=self.features.device)
        return self.outputs(self.features[rows].unsqueeze(1), control).squeeze(1)
