"""Contextual bandit with a closed-form Pareto front: exact regret, no sampling noise."""

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
from paretosteer.interfaces import Array, Lists, Oracle
from paretosteer.metrics import Normaliser
from paretosteer.objective import Objective
from paretosteer.policies.conditioning import Conditioning
from paretosteer.policies.perceptron import Perceptron
from paretosteer.storage.digest import digest

if TYPE_CHECKING:
    from paretosteer.config.schema import CellConfig
    from paretosteer.config.setting import Setting

FEATURES = 8  # size of a context vector, for policy=mlp
HIDDEN = (32, 32)
TEACHER = 64  # random tanh features from which the rewards are built
SPLITS = ("train", "calibration", "validation", "test")


class Bandit(Benchmark):
    """Contextual bandit with K actions, m conflicting rewards and a known optimal policy.

    With KL coefficient kappa, the optimal policy for a preference mu is
    pi*(a|x) ∝ pi_0(a|x) exp(mu . z(x, a) / kappa). Points are given in the regularised coordinates
    g_i = E z_i - kappa KL. Expectations are exact sums over actions, never sampled.
    """

    name = "bandit"
    version = "1"
    float32_only = True
    feedback: ClassVar[Mapping[str, str]] = {
        "reward": "the exact expectation of the rewards and its exact gradient",
        "preference": "actions drawn from the start policy, Bradley-Terry probabilities",
        "imitation": "the start policy cut to its top quantile of actions",
    }
    label_forms = ("softmax",)
    steps: ClassVar[Mapping[str, int]] = {"smoke": 20, "quick": 2000, "full": 10_000}

    class Options(BaseOptions):
        """Options of the benchmark `bandit`."""

        policy: Literal["tabular", "mlp"] = option(
            "tabular",
            "tabular: one logit per context and action, with the same contexts in all splits; "
            "mlp: a small network",
        )
        objectives: int = option(2, "number of rewards", least=2, most=8)
        actions: int = option(16, "actions to choose from", least=2)
        contexts: int | None = option(
            None, "number of contexts, for mlp in each split; null: 64, or 512 for mlp", least=1
        )
        conflict: float | None = option(
            None,
            "pairwise correlation of the rewards, between -1/(m - 1) and 1; null: half the lower "
            "bound",
        )
        kappa: float = option(
            0.5, "coefficient of the KL that defines the optimum", least=1e-3, most=1e3
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
        # Every feedback kind uses the benchmark's kappa, so all of them have the same optimum.
        rate = 0.2 if options.policy == "tabular" else 0.01
        return {
            "learning_rate": rate,
            "kappa": options.kappa,
            "beta_dpo": options.kappa,
            "list_size": 2,
            "condition": "features",
        }

    @classmethod
    def model_key(cls, config: CellConfig, options: Options) -> str:
        """Digest of the options, which determine the start policy."""
        own_model_only(config)
        return digest({"bandit": options.model_dump(), "version": cls.version})

    @classmethod
    def objective_versions(cls, options: Options) -> Mapping[str, str]:
        return {f"reward_{i + 1}": "1" for i in range(options.objectives)}

    @property
    def model_name(self) -> str:
        return str(self.options.policy)

    @property
    def kl_coefficient(self) -> float:
        """Price of a nat of KL, in normalised reward."""
        return float(self.options.kappa)

    def split(self, name: str) -> Sequence[Context]:
        return self._contexts[name]

    def start_policy(self, conditioning: Conditioning, seed: int) -> TabularPolicy | NetworkPolicy:
        """Untrained copy of the start policy with the given conditioning."""
        if isinstance(self._start, Perceptron):
            return NetworkPolicy(self._start, self._features, conditioning, seed)
        return TabularPolicy(self._start, conditioning, seed)

    @cached_property
    def normaliser(self) -> Normaliser:
        """Exact reward moments under the start policy on the calibration contexts."""
        rows = self._rows(self.prompts("calibration"))
        # Contexts are equally likely, so a pair (x, a) has probability pi_0(a|x) / n.
        weight = np.exp(self._log_start[rows])[..., None] / len(rows)  # (n, K, 1)
        mean = (weight * self._rewards[rows]).sum(axis=(0, 1))
        variance = (weight * (self._rewards[rows] - mean) ** 2).sum(axis=(0, 1))
        return Normaliser(tuple(mean.tolist()), tuple(np.sqrt(variance).tolist()))

    def score(self, samples: Actions | Distributions) -> Array:
        """Raw rewards (rows, m): of the sampled action, or expected under a distribution."""
        rewards = self.outcomes(samples.contexts)  # (rows, K, m)
        if isinstance(samples, Actions):
            return rewards[np.arange(len(samples)), samples.action.cpu().numpy()]
        expected: Array = np.einsum("rk,rkm->rm", samples.log_policy.exp().cpu().numpy(), rewards)
        return expected

    def outcomes(self, prompts: Sequence[Context]) -> Array:
        """Raw rewards of every action, (rows, K, m)."""
        return self._rewards[self._rows(prompts)]

    def oracle(self, preferences: Array) -> Oracle:
        """Points of the optimal policies for preferences (k, m), on the test contexts."""
        rows = self._rows(self.prompts("test"))
        z, log_start = self.normaliser.apply(self._rewards[rows]), self._log_start[rows]
        best = best_policies(z, log_start, preferences, self.kl_coefficient)
        start = regularised(z, log_start, log_start[None], self.kl_coefficient)[0]
        return Oracle(regularised(z, log_start, best, self.kl_coefficient), start)

    def lists(self, rng: np.random.Generator, weights: Array, size: int | None) -> Lists:
        """Lists of distinct actions, sampled from the start policy for training contexts.

        The labels are softmax(z) over a list. With two actions these are the Bradley-Terry
        probabilities of each objective.
        """
        assert size is not None  # `training_defaults` sets it
        if size > self.options.actions:
            raise UsageError(
                f"method.list_size: {size} candidates, but there are {self.options.actions} "
                "actions; lower it or raise benchmark.actions"
            )
        contexts = self._drawn(rng, len(weights))
        rows = self._rows(contexts)
        # Gumbel top-k: the n largest perturbed logits are a sample without replacement.
        noisy = self._log_start[rows] + rng.gumbel(size=(len(weights), self.options.actions))
        actions = np.argsort(-noisy, axis=1)[:, :size]  # (lists, n)
        rewards = np.take_along_axis(self._rewards[rows], actions[..., None], 1)
        z = self._tensor(self.normaliser.apply(rewards)).float()  # (lists, n, m)
        log_start = np.take_along_axis(self._log_start[rows], actions, 1)
        return Lists(
            Candidates(tuple(contexts), self._tensor(actions)),
            labels=torch.softmax(z, dim=1),
            start_log_probs=self._tensor(log_start).float(),
            tokens=actions.size,
            score=lambda: z,
            ratings=z,
        )

    def demonstrations(self, rng: np.random.Generator, weights: Array, quantile: float) -> Actions:
        """One action per row of weights (rows, m), from the start policy's top quantile.

        The quantile is of weights . z under the start policy; actions keep their relative
        probabilities within it.
        """
        contexts = self._drawn(rng, len(weights))
        rows = self._rows(contexts)
        z = self.normaliser.apply(self._rewards[rows])
        order = np.argsort(-np.einsum("rkm,rm->rk", z, weights), axis=1)  # best first
        # Invert the CDF of the start policy over the ordered actions, restricted to [0, quantile].
        mass = np.take_along_axis(np.exp(self._log_start[rows]), order, 1).cumsum(axis=1)
        rank = (mass < rng.uniform(0, quantile, size=(len(rows), 1))).sum(axis=1)
        action = order[np.arange(len(rows)), np.minimum(rank, order.shape[1] - 1)]
        log_probs = self._log_start[rows, action][:, None]
        return Actions(tuple(contexts), self._tensor(action), self._tensor(log_probs).float())

    # -- helpers ----------------------------------------------------------------------------

    def _check(self) -> None:
        m, conflict = self.options.objectives, self.options.conflict
        # m variables with one common pairwise correlation need it above -1 / (m - 1).
        if conflict is not None and not -1 / (m - 1) < conflict < 1:
            raise UsageError(
                f"benchmark.conflict: found {conflict} with {m} objectives, whose pairwise "
                f"correlation must lie between {-1 / (m - 1):.3g} and 1, both excluded; set a "
                "value in this range"
            )
        # `conflicting` whitens the rewards, which takes more samples than objectives.
        if (count := self._contexts_per_split()) * self.options.actions <= m:
            raise UsageError(
                f"benchmark.contexts: {count} contexts with {self.options.actions} actions give "
                f"only {count * self.options.actions} rewards per objective, too few for {m} "
                "objectives; raise benchmark.contexts or benchmark.actions"
            )

    def _make(self, rng: np.random.Generator) -> None:
        """Make the contexts, the start policy and the rewards."""
        o = self.options
        m, conflict = o.objectives, o.conflict
        shape = (self._make_contexts(), o.actions)  # (contexts, K)
        if o.policy == "tabular":
            start = rng.normal(size=shape)
            self._start: Perceptron | torch.Tensor = self._tensor(start).float()
            raw = rng.normal(size=(*shape, m))
        else:
            features = rng.normal(size=(shape[0], FEATURES))
            self._features = self._tensor(features).float()
            self._start = self._network()
            start = self._start_logits()
            # Rewards are smooth in the features, so a network can generalise to new contexts.
            hidden = np.tanh(features @ rng.normal(size=(FEATURES, TEACHER)) / FEATURES**0.5)
            raw = (hidden @ rng.normal(size=(TEACHER, o.actions * m))).reshape(*shape, m)
        self._log_start = start - np.log(np.exp(start).sum(axis=1, keepdims=True))
        correlation = -0.5 / (m - 1) if conflict is None else conflict
        self._rewards = conflicting(raw, np.exp(self._log_start), correlation)  # (contexts, K, m)

    def _contexts_per_split(self) -> int:
        return self.options.contexts or (64 if self.options.policy == "tabular" else 512)

    def _make_contexts(self) -> int:
        """Make the contexts of every split and return their total number."""
        tabular, count = self.options.policy == "tabular", self._contexts_per_split()
        self._contexts = {
            split: [Context(f"x{i}", i) for i in range(first, first + count)]
            for split, first in zip(SPLITS, range(0, 4 * count, count), strict=True)
        }
        if tabular:  # a table cannot generalise to new contexts, so all splits share them
            self._contexts = dict.fromkeys(SPLITS, self._contexts["train"])
        return count if tabular else 4 * count

    def _network(self) -> Perceptron:
        # An untrained network serves as the start policy: its logits have a spread of about 1.
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
