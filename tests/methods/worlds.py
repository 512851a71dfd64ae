"""A world small enough to solve by hand: one softmax over actions per context, full-rank banks.

It has the interface of a benchmark and a policy and no text in it, so the identities of the methods
are tested apart from language models, and the core is held to being general.
"""

from __future__ import annotations

from dataclasses import dataclass
from types import SimpleNamespace

import numpy as np
import torch
from torch import nn

from paretosteer.benchmark import TRAINING
from paretosteer.interfaces import Lists
from paretosteer.metrics import Normaliser
from paretosteer.objective import Objective
from paretosteer.policies.conditioning import Banks, Features, Unconditioned

CONTEXTS, ACTIONS = 6, 8


@dataclass(frozen=True)
class Context:
    id: str
    index: int


@dataclass(frozen=True)
class Actions:
    context: torch.Tensor  # (rows,)
    action: torch.Tensor  # (rows,)
    log_probs: torch.Tensor  # (rows, 1)

    @property
    def mask(self):
        return torch.ones_like(self.log_probs, dtype=torch.bool)

    def __len__(self):
        return len(self.action)

    @property
    def tokens(self):
        return len(self.action)


class TablePolicy:
    """log pi = log pi_0 + sum_i c_i Delta_i, up to a constant per context."""

    def __init__(self, start, conditioning, seed):
        self.start, self.conditioning = start, conditioning  # (contexts, actions)
        count = conditioning.count if isinstance(conditioning, Banks) else 1
        self.banks = [nn.Parameter(torch.zeros_like(start)) for _ in range(count)]
        torch.manual_seed(seed)
        size = conditioning.size if isinstance(conditioning, Features) else 1
        self.reader = nn.Linear(size, start.numel(), bias=False)

    size = 1

    def answer(self, prompts, control, seed, samples):
        return self.sample(prompts, control, seed, samples)

    def table(self, control):
        """Log-probabilities (rows, contexts, actions)."""
        if control.kind == "soup":
            delta = torch.einsum("rb,bxa->rxa", control.values, torch.stack(self.banks))
        elif control.kind == "bank":
            delta = torch.stack(self.banks)[control.values]
        elif control.kind == "features":
            delta = self.reader(control.values).view(-1, *self.start.shape)
        else:
            delta = torch.zeros(control.rows, *self.start.shape)
        table = torch.log_softmax(self.start + delta, -1)
        if control.sharpness is not None:
            moved = self.start + control.sharpness.view(-1, 1, 1) * (table - self.start)
            table = torch.log_softmax(moved, -1)
        return table

    @torch.no_grad()
    def sample(self, prompts, control, seed, samples):
        context = torch.tensor([p.index for p in prompts])
        log_probs = self.table(control)[torch.arange(len(context)), context]
        generator = torch.Generator().manual_seed(seed % 2**31)
        action = torch.multinomial(log_probs.exp(), 1, generator=generator)
        return Actions(context, action.squeeze(1), log_probs.gather(1, action))

    def log_probs(self, samples, control):
        rows = torch.arange(len(samples))
        log_probs = self.table(control)[rows, samples.context]
        return log_probs.gather(1, samples.action.unsqueeze(1))

    def list_log_probs(self, candidates, control):
        context, action = candidates  # (lists,), (lists, n)
        log_probs = self.table(control)[torch.arange(len(context)), context]
        return log_probs.gather(1, action)

    def parameters(self, bank=None):
        if bank is not None:
            return [self.banks[bank]]
        return (
            list(self.reader.parameters())
            if isinstance(self.conditioning, Features)
            else list(self.banks)
        )

    def keep_banks(self, banks):
        self.banks = [self.banks[i] for i in banks]

    def state(self):
        return {f"banks.{i}": b.detach() for i, b in enumerate(self.banks)} | {
            "reader": self.reader.weight.detach()
        }

    def load_state(self, state):
        for i, bank in enumerate(self.banks):
            bank.data.copy_(state[f"banks.{i}"])
        self.reader.weight.data.copy_(state["reader"])


class TableWorld:
    """Rewards of known optimum: objectives pull at different actions."""

    max_failed = 0.01
    options, fold, notes, scoring_notes = None, None, (), ()
    setting = SimpleNamespace(score_seconds=5.0, model=None)
    name, version, prompts_version, model_name = "table", "1", "1", "table"

    def __init__(self, objectives=2):
        self.feedback = dict.fromkeys(("reward", "preference", "imitation"), "exact")
        self.objectives = tuple(
            Objective(f"r{i}", "units", -9.0, "a reward") for i in range(objectives)
        )
        self.reference = (-2.0,) * objectives
        rng = np.random.default_rng(7)
        self.rewards = torch.tensor(
            rng.normal(size=(CONTEXTS, ACTIONS, objectives)), dtype=torch.float32
        )
        self.start = torch.log_softmax(
            torch.tensor(rng.normal(size=(CONTEXTS, ACTIONS))).float(), -1
        )
        self.normaliser = Normaliser((0.0,) * objectives, (1.0,) * objectives)

    @classmethod
    def model_defaults(cls, options, model):
        return TRAINING

    def prompts(self, split):
        return [Context(f"{split}-{i}", i) for i in range(CONTEXTS)]

    def start_policy(self, conditioning, seed):
        assert isinstance(conditioning, Banks | Features | Unconditioned)
        return TablePolicy(self.start, conditioning, seed)

    def score(self, samples):
        return self.rewards[samples.context, samples.action].double().numpy()

    def describe(self, samples):
        return []

    def lists(self, rng, weights, size):
        lists = len(weights)
        context = torch.as_tensor(rng.integers(CONTEXTS, size=lists))
        action = torch.as_tensor(np.stack([rng.permutation(ACTIONS)[:size] for _ in range(lists)]))
        z = self.rewards[context].gather(1, action[..., None].expand(-1, -1, len(self.objectives)))
        start = self.start[context].gather(1, action)
        return Lists((context, action), torch.softmax(z / 0.5, 1), start, lists * size)

    def demonstrations(self, rng, weights, quantile):
        context = torch.as_tensor(rng.integers(CONTEXTS, size=len(weights)))
        gain = torch.einsum("ram,rm->ra", self.rewards[context].double(), torch.as_tensor(weights))
        keep = max(1, round(quantile * ACTIONS))
        top = gain.topk(keep, 1).indices
        action = top[
            torch.arange(len(weights)), torch.as_tensor(rng.integers(keep, size=len(weights)))
        ]
        return Actions(context, action, torch.zeros(len(weights), 1))

    def values(self, policy, control):
        """Exact expected rewards (rows, m) of each control over all contexts."""
        pi = policy.table(control).exp()
        return torch.einsum("rxa,xam->rm", pi, self.rewards).detach().double().numpy() / CONTEXTS
