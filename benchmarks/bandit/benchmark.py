"""A contextual bandit whose best front is known exactly: distance to the truth, without noise."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import cached_property
from typing import TYPE_CHECKING, Any, ClassVar, Literal

import numpy as np
import torch

from paretosteer.benchmark import Benchmark, own_model_only
from paretosteer.benchmarks.bandit.conflicting_rewards import (
    best_policies,
    conflicting,
    regularised,
)
from paretosteer.benchmarks.bandit.policy import (
    Actions,
    Candidates,
    Context,
    Distributions,
    NetworkPolicy,
    TabularPolicy,
)
from paretosteer.config.options import BaseOptions, option
from paretosteer.errors import UsageError
from paretosteer.interfaces import Array, Lists, Objective, Oracle
from paretosteer.metrics import Normaliser
from paretosteer.policies.conditioning import Conditioning
from paretosteer.policies.perceptron import Perceptron
from paretosteer.storage.digest import digest

if TYPE_CHECKING:
    from paretosteer.config.schema import CellConfig
    from paretosteer.config.setting import Setting

FEATURES = 8  # of a context that a network reads
HIDDEN = (32, 32)
TEACHER = 64  # random features that rewards are made of
SPLITS = ("train", "calibration", "validation", "test")


class Bandit(Benchmark):
    """K actions per context, m conflicting rewards, a start policy, and the optimum in closed form.

    With KL coefficient kappa the best policy for mu is pi_0 exp(mu . z / kappa), normalised. Points
    are in regularised coordinates E z_i - kappa KL, rewards and gradients are sums over actions.
    """

    name = "bandit"
    version = "1"
    float32_only = True
    feedback: ClassVar[Mapping[str, str]] = {
        "reward": "the exact expectation of the rewards and its exact gradient",
        "preference": "actions drawn from the start policy, Bradley-Terry probabilities",
        "imitation": "the start policy cut to its top quantile of actions",
    }
    steps: ClassVar[Mapping[str, int]] = {"smoke": 20, "quick": 2000, "full": 10_000}

    class Options(BaseOptions):
        """Options of the benchmark `bandit`."""

        policy: Literal["tabular", "mlp"] = option(
            "tabular", "a logit per context and action, contexts shared by all splits; or a network"
        )
        objectives: int = option(2, "number of rewards", least=2, most=8)
        actions: int = option(16, "actions to choose from", least=2)
        contexts: int | None = option(
            None, "contexts (mlp: in each split); null: 64, for mlp 512", least=1
        )
        conflict: float | None = option(
            None,
            "correlation of every pair of rewards, above -1/(m - 1), below 1; null: half of that",
        )
        kappa: float = option(
            0.5, "price of a nat of KL, which defines the optimum", least=1e-3, most=1e3
        )
        world: int = option(0, "seed of contexts, rewards and start policy", least=0)

    def __init__(self, options: Options, setting: Setting):
        super().__init__(options, setting)
        setting.set_threads(0)
        self.objectives = tuple(
            Objective(f"reward_{i + 1}", "units", -10.0, "a reward that conflicts with the others")
            for i in range(options.objectives)
        )
        self._check()
        self._make(np.random.default_rng([options.world, options.actions, options.objectives]))

    @classmethod
    def training_defaults(cls, options: Options) -> Mapping[str, Any]:
        """The optimum's own KL coefficient, also as DPO's temperature: one aim for all."""
        rate = 0.2 if options.policy == "tabular" else 0.01
        return {
            "learning_rate": rate,
            "kappa": options.kappa,
            "beta_dpo": options.kappa,
            "list_size": 2,
        }

    @classmethod
    def model_key(cls, config: CellConfig, options: Options) -> str:
        """Digest of the world, which the start policy is part of."""
        own_model_only(config)
        return digest({"bandit": options.model_dump(), "version": cls.version})

    @classmethod
    def objective_versions(cls, options: Options) -> Mapping[str, str]:
        """All of the same version."""
        return {f"reward_{i + 1}": "1" for i in range(options.objectives)}

    @property
    def model_name(self) -> str:
        """The kind of policy."""
        return str(self.options.policy)

    @property
    def kl_coefficient(self) -> float:
        """What a nat of KL costs."""
        return float(self.options.kappa)

    def split(self, name: str) -> Sequence[Context]:
        """The contexts of a split."""
        return self._contexts[name]

    def start_policy(self, conditioning: Conditioning, seed: int) -> TabularPolicy | NetworkPolicy:
        """The start policy under a conditioning, nothing trained yet."""
        if isinstance(self._start, Perceptron):
            return NetworkPolicy(self._start, self._features, conditioning, seed)
        return TabularPolicy(self._start, conditioning, seed)

    @cached_property
    def normaliser(self) -> Normaliser:
        """Exact moments under the start policy, over calibration contexts."""
        rows = self._rows(self.prompts("calibration"))
        weight = np.exp(self._log_start[rows])[..., None] / len(rows)  # (n, K, 1)
        mean = (weight * self._rewards[rows]).sum(axis=(0, 1))
        variance = (weight * (self._rewards[rows] - mean) ** 2).sum(axis=(0, 1))
        return Normaliser(tuple(mean.tolist()), tuple(np.sqrt(variance).tolist()))

    def score(self, samples: Actions | Distributions) -> Array:
        """Raw rewards (rows, m): of the actions drawn, or expected."""
        rewards = self.outcomes(samples.contexts)  # (rows, K, m)
        if isinstance(samples, Actions):
            return rewards[np.arange(len(samples)), samples.action.cpu().numpy()]
        expected: Array = np.einsum("rk,rkm->rm", samples.log_policy.exp().cpu().numpy(), rewards)
        return expected

    def outcomes(self, prompts: Sequence[Context]) -> Array:
        """Raw rewards (rows, K, m) of every action."""
        return self._rewards[self._rows(prompts)]

    def oracle(self, preferences: Array) -> Oracle:
        """The best policy's points at preferences (k, m), on test contexts."""
        rows = self._rows(self.prompts("test"))
        z, log_start = self.normaliser.apply(self._rewards[rows]), self._log_start[rows]
        best = best_policies(z, log_start, preferences, self.kl_coefficient)
        start = regularised(z, log_start, log_start[None], self.kl_coefficient)[0]
        return Oracle(regularised(z, log_start, best, self.kl_coefficient), start)

    def lists(self, rng: np.random.Generator, weights: Array, size: int | None) -> Lists:
        """Different actions of a training context, drawn from the start policy.

        Labels are softmax(z) over a list: for two, each objective's Bradley-Terry probabilities.
        """
        assert size is not None  # `training_defaults` gives one
        if size > self.options.actions:
            raise UsageError(
                f"method.list_size: {size} candidates, but there are {self.options.actions} "
                "actions; lower it or raise benchmark.actions"
            )
        contexts = self._drawn(rng, len(weights))
        rows = self._rows(contexts)
        noisy = self._log_start[rows] + rng.gumbel(size=(len(weights), self.options.actions))
        actions = np.argsort(-noisy, axis=1)[:, :size]  # (lists, n), without replacement
        rewards = np.take_along_axis(self._rewards[rows], actions[..., None], 1)
        z = self._tensor(self.normaliser.apply(rewards)).float()  # (lists, n, m)
        log_start = np.take_along_axis(self._log_start[rows], actions, 1)
        return Lists(
            Candidates(tuple(contexts), self._tensor(actions)),
            labels=torch.softmax(z, dim=1),
            start_log_probs=self._tensor(log_start).float(),
            tokens=actions.size,
            score=lambda: z,
        )

    def demonstrations(self, rng: np.random.Generator, weights: Array, quantile: float) -> Actions:
        """For every row of weights (rows, m), an action of the start policy's top quantile."""
        contexts = self._drawn(rng, len(weights))
        rows = self._rows(contexts)
        z = self.normaliser.apply(self._rewards[rows])
        order = np.argsort(-np.einsum("rkm,rm->rk", z, weights), axis=1)  # best first
        mass = np.take_along_axis(np.exp(self._log_start[rows]), order, 1).cumsum(axis=1)
        place = (mass < rng.uniform(0, quantile, size=(len(rows), 1))).sum(axis=1)
        action = order[np.arange(len(rows)), np.minimum(place, order.shape[1] - 1)]
        log_probs = self._log_start[rows, action][:, None]
        return Actions(tuple(contexts), self._tensor(action), self._tensor(log_probs).float())

    # -- parts ------------------------------------------------------------------------------

    def _check(self) -> None:
        m, conflict = self.options.objectives, self.options.conflict
        if conflict is not None and not -1 / (m - 1) < conflict < 1:
            raise UsageError(
                f"benchmark.conflict: found {conflict} with {m} objectives, whose rewards can "
                f"correlate pairwise above {-1 / (m - 1):.3g} and below 1; give a value between"
            )
        if (each := self._contexts_each()) * self.options.actions <= m:
            raise UsageError(
                f"benchmark.contexts: {each} contexts with {self.options.actions} actions have "
                f"{each * self.options.actions} rewards to vary, too few for {m} objectives; raise "
                "benchmark.contexts or benchmark.actions"
            )

    def _make(self, rng: np.random.Generator) -> None:
        """Contexts, start policy and rewards of the world."""
        o = self.options
        m, conflict = o.objectives, o.conflict
        shape = (self._place_contexts(), o.actions)
        if o.policy == "tabular":
            start = rng.normal(size=shape)
            self._start: Perceptron | torch.Tensor = self._tensor(start).float()
            raw = rng.normal(size=(*shape, m))
        else:
            features = rng.normal(size=(shape[0], FEATURES))
            self._features = self._tensor(features).float()
            self._start = self._network()
            start = self._start_logits()
            hidden = np.tanh(features @ rng.normal(size=(FEATURES, TEACHER)) / FEATURES**0.5)
            raw = (hidden @ rng.normal(size=(TEACHER, o.actions * m))).reshape(*shape, m)
        self._log_start = start - np.log(np.exp(start).sum(axis=1, keepdims=True))
        correlation = -0.5 / (m - 1) if conflict is None else conflict
        self._rewards = conflicting(raw, np.exp(self._log_start), correlation)  # (contexts, K, m)

    def _contexts_each(self) -> int:
        """Contexts in a split."""
        return self.options.contexts or (64 if self.options.policy == "tabular" else 512)

    def _place_contexts(self) -> int:
        """Name the contexts of every split; gives how many there are in all."""
        tabular, each = self.options.policy == "tabular", self._contexts_each()
        self._contexts = {
            split: [Context(f"x{i}", i) for i in range(first, first + each)]
            for split, first in zip(SPLITS, range(0, 4 * each, each), strict=True)
        }
        if tabular:  # a table cannot meet a new context
            self._contexts = dict.fromkeys(SPLITS, self._contexts["train"])
        return each if tabular else 4 * each

    def _network(self) -> Perceptron:
        """An untrained network is the start policy: its logits vary by about 1."""
        network = Perceptron([FEATURES, *HIDDEN, self.options.actions])
        network.initialise(torch.Generator().manual_seed(self.options.world))
        return network.to(self.setting.device).requires_grad_(False)

    @torch.no_grad()
    def _start_logits(self) -> Array:
        assert isinstance(self._start, Perceptron)
        logits: Array = self._start(self._features).cpu().double().numpy()
        return logits

    def _rows(self, contexts: Sequence[Context]) -> Any:
        return np.array([context.index for context in contexts])
