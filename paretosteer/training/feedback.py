"""Feedback kinds: losses from rewards, preferences or demonstrations, for every benchmark.

Each kind has two halves. `collect` gathers a batch under given weights and controls, without
gradients; `loss` scores it. Draws and control rows belong to prompts, so every sample of a prompt
shares one draw. Kinds are registered by name, as entry points `paretosteer.feedback` or in the
table `paretosteer_plugins["feedback"]` of a plug-in file.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any, ClassVar, Protocol

import numpy as np
import torch
from torch import Tensor

from paretosteer import benchmark_outputs
from paretosteer.benchmark import Benchmark
from paretosteer.errors import UnsupportedError, UsageError
from paretosteer.interfaces import Array, Exact, Lists
from paretosteer.policies.control import Control
from paretosteer.policies.kl import one_sample_kl
from paretosteer.policies.protocols import Policy
from paretosteer.runtime.overrides import overridden
from paretosteer.training.draws import Draws
from paretosteer.training.scoring import Scorer

GRACE = 1000  # smallest number of training samples over which scoring failures are judged
STD_FLOOR = 1e-4  # added to standard deviations that divide, GDPO's value

# What an expectation does in its own way, where a benchmark can sum over samples.
_SAMPLED = ("__init__", "collect", "loss", "scalarise", "state", "load_state")

# A term of the loss from weights (lists, m) and per-objective losses (lists, m).
Penalty = Callable[[Tensor, Tensor], Tensor]


@dataclass(frozen=True)
class Batch:
    """Data of one optimiser step. Rows are samples; `prompt_of` maps them to prompts."""

    samples: Any
    prompt_of: Tensor  # (rows,) int64
    terms: int  # number of rows, lists or tokens that the loss averages over
    advantage: Tensor | None = None  # (rows,)
    lists: Lists | None = None
    figures: dict[str, float] | None = None  # for the training log
    tokens: int = 0
    reward_calls: int = 0
    others: Control | None = None  # of the draws' other weights, a row per prompt


class FeedbackTrainer(Protocol):
    """Attributes of its `Trainer` that a feedback may read."""

    samples: int  # per prompt, under reward feedback
    seed: int


class Feedback(ABC):
    """One kind of feedback on one benchmark.

    Attributes
    ----------
    version
        Raise it if the loss changes for the same data. A plug-in's is part of a cell's identity.
    source
        What a benchmark must offer for it: `reward`, `preference` or `imitation`.
    updates
        Optimiser steps on each collected batch.
    rows_per_draw
        Samples or candidates that share one draw of weights.
    flops_per_weight
        Per token of a batch; a forward pass costs 2, a backward pass 4.

    """

    version: ClassVar[str] = "1"
    source: ClassVar[str]
    updates: int = 1
    rows_per_draw: int = 1
    flops_per_weight: float = 6.0

    @classmethod
    @abstractmethod
    def of(cls, benchmark: Benchmark, options: Any, trainer: FeedbackTrainer) -> Feedback:
        """Build it for a benchmark from a method's options and the trainer's budget."""

    @classmethod
    def check(cls, benchmark: Benchmark) -> None:
        """Raise UnsupportedError with the reason if the benchmark does not provide it."""
        if cls.source not in benchmark.feedback:
            raise UnsupportedError(
                f"{benchmark.name} gives no {cls.source} feedback; "
                f"it has {', '.join(benchmark.feedback)}"
            )

    def complete(self, draws: Draws) -> Draws:
        """Add to the draws of a whole batch, which is split into parts where memory is short."""
        return draws

    @abstractmethod
    def collect(
        self, policy: Policy, draws: Draws, control: Control, rng: np.random.Generator
    ) -> Batch:
        """Gather a batch for these prompts, with one draw and one control row each."""

    @abstractmethod
    def loss(self, policy: Policy, batch: Batch, draws: Draws, control: Control) -> Tensor:
        """Scalar to minimise, a mean over the batch's `terms`."""

    def state(self) -> dict[str, Any]:
        """State that `collect` changes beside the random stream, as JSON, for resuming."""
        return {}

    def load_state(self, state: dict[str, Any]) -> None:  # noqa: B027 (most kinds have no state)
        """Restore what `state` returned."""


@dataclass(frozen=True)
class Outcomes:
    """Every possible sample of some prompts, with rewards and start-policy probabilities."""

    prompts: Sequence[Any]
    rewards: Array  # (rows, K, m), raw
    start: Tensor  # (rows, K) log-probabilities


class Expectation(Feedback):
    """Exact gradient of E mu . z - kappa KL, where a benchmark has few enough samples to sum over.

    `Reward` estimates the same from samples.
    """

    source = "reward"
    flops_per_weight = 8.0  # a forward pass for the log, then forward and backward

    def __init__(self, benchmark: Any, kappa: float):
        self.benchmark, self.kappa = benchmark, kappa
        self._order = Shuffled(len(benchmark_outputs.prompts(benchmark, "train")))

    @classmethod
    def of(cls, benchmark: Any, options: Any, trainer: FeedbackTrainer) -> Feedback:
        """Build it with the KL coefficient of the options; UnsupportedError for decoupling."""
        if options.advantage == "decoupled":
            raise UnsupportedError(
                f"method.advantage: {benchmark.name} sums over all samples exactly, so no sample "
                "has an advantage to decouple; set method.advantage=joint"
            )
        return cls(benchmark, options.kappa)

    @torch.no_grad()
    def collect(
        self, policy: Any, draws: Draws, control: Control, rng: np.random.Generator
    ) -> Batch:
        """Take the next prompts; the policy's expectations on them go into the log."""
        prompts = self.benchmark.prompts("train")
        chosen = [prompts[i] for i in self._order.take(rng, len(draws.weights))]
        start = policy.log_policy(chosen, Control.start(len(chosen)))
        every = Outcomes(chosen, self.benchmark.outcomes(chosen), start)
        expected, kl = _expectations(policy, every, control, every.rewards)
        figures = mean_scores(self.benchmark, _array(expected)) | {"kl": float(kl.mean())}
        rows = len(chosen)
        return Batch(every, torch.arange(rows), rows, figures=figures, tokens=rows)

    def loss(self, policy: Any, batch: Batch, draws: Draws, control: Control) -> Tensor:
        """Minus the expected return, mean over prompts."""
        z = self.benchmark.normaliser.apply(batch.samples.rewards)  # (rows, K, m)
        expected, kl = _expectations(policy, batch.samples, control, z)
        draws = self.scalarise(draws, _array(expected), _array(kl))
        weights = expected.new_tensor(draws.weights)
        kappa = kl.new_tensor(self.kappa if draws.kappa is None else draws.kappa)
        return -((weights * expected).sum(dim=1) - kappa * kl).mean()

    def scalarise(self, draws: Draws, z: Array, kl: Array) -> Draws:
        """As that of `Reward`, given the exact expectations z (rows, m) and kl (rows,)."""
        return draws

    def state(self) -> dict[str, Any]:
        """Rest of the pass over the prompts."""
        return {"order": self._order.left}

    def load_state(self, state: dict[str, Any]) -> None:
        """Restore what `state` returned."""
        self._order.left = state["order"]


class Reward(Feedback):
    """Policy gradient on mu . z - kappa KL, the KL to the start policy inside the reward.

    The baseline of a sample is the mean return of its prompt's other samples (leave-one-out; Kool
    et al. 2019; Ahmadian et al., arXiv 2402.14740). With `decoupled`, the rewards' part is GDPO's
    (`decoupled_advantages`); the KL keeps its own baseline and coefficient outside of it, which is
    the gradient of GRPO's separate term kappa KL. With `epochs` > 1 a batch serves several
    optimiser steps and the ratio to the sampling policy is clipped to 1 +- `clip` (PPO, arXiv
    1707.06347).
    """

    source = "reward"
    # Replaces it where a benchmark can sum over samples; a subclass that overrides a method of this
    # class needs its own.
    exact: ClassVar[type[Expectation]] = Expectation

    def __init__(
        self,
        benchmark: Benchmark,
        samples: int,
        kappa: float,
        epochs: int = 1,
        clip: float = 0.2,
        decoupled: bool = False,
    ):
        if samples < 2:
            raise UsageError(
                f"budget.samples: {samples} per prompt; the leave-one-out baseline needs 2 or more"
            )
        self.benchmark, self.samples, self.kappa = benchmark, samples, kappa
        self.updates, self.clip, self.rows_per_draw = epochs, clip, samples
        self.decoupled = decoupled
        self.flops_per_weight = 4.0 + 6.0 * epochs  # sampling, start scores; forward and backward
        self._scorer = Scorer(benchmark, GRACE, "training")
        self._order = Shuffled(len(benchmark_outputs.prompts(benchmark, "train")))

    @classmethod
    def of(cls, benchmark: Benchmark, options: Any, trainer: FeedbackTrainer) -> Feedback:
        """Sampled policy gradient, or the exact one where the benchmark can sum over samples."""
        if isinstance(benchmark, Exact):
            if own := overridden(cls, _SAMPLED, "exact"):
                raise UsageError(
                    f"feedback {cls.__name__}: overrides {', '.join(own)}, but {benchmark.name} "
                    f"sums over all samples with {cls.exact.__name__} instead; set `exact` to a "
                    "subclass of Expectation that does the same, or override `of`"
                )
            return cls.exact.of(benchmark, options, trainer)
        o = options
        decoupled = o.advantage == "decoupled"
        return cls(benchmark, trainer.samples, o.kappa, o.epochs, o.clip, decoupled)

    @torch.no_grad()
    def collect(
        self, policy: Policy, draws: Draws, control: Control, rng: np.random.Generator
    ) -> Batch:
        """Sample every prompt `samples` times and turn the scores into advantages."""
        p, n = len(draws.weights), self.samples
        prompts = self.benchmark.prompts("train")
        chosen = [prompts[i] for i in self._order.take(rng, p)]
        prompt_of = torch.arange(p).repeat_interleave(n)
        rows = control.take(prompt_of)
        samples = policy.sample(
            [chosen[i] for i in prompt_of], rows, int(rng.integers(2**62)), list(range(n)) * p
        )
        raw = self._scorer.score(samples)
        z = self.benchmark.normaliser.apply(raw)  # (rows, m)
        start = policy.log_probs(samples, Control.start(rows.rows))
        kl = one_sample_kl(samples.log_probs, start).cpu().double().numpy()  # (rows,)
        means = z.reshape(p, n, -1).mean(axis=1), kl.reshape(p, n).mean(axis=1)
        draws = self.scalarise(draws, *means)
        price = kl * (self.kappa if draws.kappa is None else draws.kappa[prompt_of.numpy()])
        if self.decoupled:
            advantage = decoupled_advantages(z.reshape(p, n, -1), draws.weights)
            advantage -= leave_one_out(price.reshape(p, n))
        else:
            gain = (z * draws.weights[prompt_of.numpy()]).sum(axis=1) - price  # (rows,)
            advantage = leave_one_out(gain.reshape(p, n))
        entropy = -float(samples.log_probs.sum()) / max(1, samples.tokens)
        return Batch(
            samples,
            prompt_of,
            len(samples),
            advantage=torch.as_tensor(advantage.ravel(), dtype=torch.float32),
            figures=mean_scores(self.benchmark, raw) | {"kl": float(kl.mean()), "entropy": entropy},
            tokens=samples.tokens,
            reward_calls=len(samples),
        )

    def scalarise(self, draws: Draws, z: Array, kl: Array) -> Draws:
        """Weights and KL coefficients that the advantages use, given each prompt's mean rewards.

        A subclass whose scalarisation depends on them overrides this; `z` is (p, m), `kl` (p,).
        """
        return draws

    def loss(self, policy: Policy, batch: Batch, draws: Draws, control: Control) -> Tensor:
        """Minus the (clipped) advantage-weighted log-probability, summed over a sample's tokens."""
        assert batch.advantage is not None
        new = policy.log_probs(batch.samples, control.take(batch.prompt_of))  # (rows, T)
        advantage = batch.advantage.to(new.device).unsqueeze(1)
        if self.updates == 1:
            return -(advantage * new).sum(dim=1).mean()
        ratio = torch.exp(new - batch.samples.log_probs)
        clipped = ratio.clamp(1 - self.clip, 1 + self.clip)
        gain = torch.minimum(ratio * advantage, clipped * advantage)
        return -(gain * batch.samples.mask).sum(dim=1).mean()

    def state(self) -> dict[str, Any]:
        """Rest of the pass over the prompts, and the count of samples without a score."""
        return {"order": self._order.left, "scorer": self._scorer.state()}

    def load_state(self, state: dict[str, Any]) -> None:
        """Restore what `state` returned."""
        self._order.left = state["order"]
        self._scorer.load_state(state["scorer"])


class Preference(Feedback):
    """Listwise DPO against the start policy; two candidates a list give pairwise DPO.

    sum_j w_j L_j with L_j = - sum_i zbar_i^j log softmax_i(beta (s_i - s_i^start) + margin_i),
    after COS-DPO (arXiv 2410.08316), DPO (arXiv 2305.18290) and, with a margin, MODPO (arXiv
    2310.03708). A subclass passes `loss` a margin or a penalty of its own:

        def loss(self, policy, batch, draws, control):
            return super().loss(policy, batch, draws, control, margin=self.margin(batch))
    """

    source = "preference"
    label_form: str | None = None  # l1 or softmax of a list's ratings; None: the labels it has

    def __init__(self, benchmark: Benchmark, size: int | None, beta: float):
        self.benchmark, self.size, self.beta = benchmark, size, beta
        self.rows_per_draw = size or 1  # a whole list of a benchmark counts as one sample

    @classmethod
    def of(cls, benchmark: Benchmark, options: Any, trainer: FeedbackTrainer) -> Feedback:
        """Build it with the list size, DPO temperature and labels of the options."""
        feedback = cls(benchmark, options.list_size, options.beta_dpo)
        form = getattr(options, "labels", None)
        if form is not None and form not in (offered := benchmark.label_forms):
            has = f"it offers {', '.join(offered)}" if offered else "its lists have no ratings"
            raise UnsupportedError(
                f"method.labels: {benchmark.name} cannot provide {form!r}: {has}; leave it null"
            )
        feedback.label_form = form
        return feedback

    def collect(
        self, policy: Policy, draws: Draws, control: Control, rng: np.random.Generator
    ) -> Batch:
        """Draw one list per prompt row."""
        lists = relabelled(self.benchmark.lists(rng, draws.weights, self.size), self.label_form)
        rows = torch.arange(len(draws.weights)).repeat_interleave(self.rows_per_draw)
        size = len(draws.weights)
        return Batch(lists.candidates, rows, size, lists=lists, tokens=lists.tokens)

    def loss(
        self,
        policy: Policy,
        batch: Batch,
        draws: Draws,
        control: Control,
        margin: Tensor | None = None,
        penalty: Penalty | None = None,
    ) -> Tensor:
        """Mean over lists of the weighted losses, plus the penalty; see `losses`."""
        losses = self.losses(policy, batch, draws, control, margin)  # (lists, m)
        loss = self.aggregate(losses, batch, draws)
        return loss if penalty is None else loss + penalty(losses.new_tensor(draws.weights), losses)

    def aggregate(self, losses: Tensor, batch: Batch, draws: Draws) -> Tensor:
        """Scalar from the losses (lists, m): their mean under the weights of each list.

        A subclass that scalarises in another way overrides this.
        """
        return (losses.new_tensor(draws.weights) * losses).sum(dim=1).mean()

    def losses(
        self,
        policy: Policy,
        batch: Batch,
        draws: Draws,
        control: Control,
        margin: Tensor | None = None,
    ) -> Tensor:
        """Cross-entropy of every list and objective, (lists, m); temperatures multiply beta.

        `margin` (lists, n) is added to the implicit rewards of the candidates.
        """
        assert batch.lists is not None
        log_probs = self.log_probs(policy, batch, control)  # (lists, n)
        lists = batch.lists.to(log_probs.device)
        log_ratio = (log_probs - lists.start_log_probs).unsqueeze(-1)  # (lists, n, 1)
        implicit_reward = self.beta * log_ratio
        if draws.temperatures is not None:
            temperatures = log_probs.new_tensor(draws.temperatures)  # (lists, m)
            implicit_reward = implicit_reward * temperatures.unsqueeze(1)  # (lists, n, m)
        if margin is not None:
            implicit_reward = implicit_reward + margin.to(log_probs.device).unsqueeze(-1)
        if lists.mask is not None:
            # Finite, since a label of 0 times minus infinity is NaN.
            padded = ~lists.mask.unsqueeze(-1)
            implicit_reward = implicit_reward.masked_fill(padded, torch.finfo(log_probs.dtype).min)
        return -(lists.labels * implicit_reward.log_softmax(dim=1)).sum(dim=1)

    def log_probs(self, policy: Policy, batch: Batch, control: Control) -> Tensor:
        """Log-probabilities (lists, n) of the candidates, one control row per list."""
        assert batch.lists is not None
        return policy.list_log_probs(batch.lists.candidates, control)


class Imitation(Feedback):
    """Supervised learning of start-model samples from the top quantile under w . z."""

    source = "imitation"

    def __init__(self, benchmark: Benchmark, quantile: float):
        self.benchmark, self.quantile = benchmark, quantile

    @classmethod
    def of(cls, benchmark: Benchmark, options: Any, trainer: FeedbackTrainer) -> Feedback:
        """Build it with the quantile of the options."""
        return cls(benchmark, options.quantile)

    def collect(
        self, policy: Policy, draws: Draws, control: Control, rng: np.random.Generator
    ) -> Batch:
        """Draw one demonstration per draw of weights."""
        chosen = self.benchmark.demonstrations(rng, draws.weights, self.quantile)
        terms = max(1, chosen.tokens)
        return Batch(chosen, torch.arange(len(chosen)), terms, tokens=chosen.tokens)

    def loss(self, policy: Policy, batch: Batch, draws: Draws, control: Control) -> Tensor:
        """Mean negative log-likelihood per token."""
        log_probs = policy.log_probs(batch.samples, control.take(batch.prompt_of))
        return -log_probs.sum() / batch.terms


def relabelled(lists: Lists, form: str | None) -> Lists:
    """Lists with labels that `form` makes of their ratings; those without labels stay without."""
    if form is None:
        return lists
    assert lists.ratings is not None
    if form == "l1":
        total = lists.ratings.sum(dim=1, keepdim=True)  # (lists, 1, m), 0 where nothing is rated
        return replace(lists, labels=torch.where(total > 0, lists.ratings / total, 0.0))
    ratings = lists.ratings
    if lists.mask is not None:
        ratings = ratings.masked_fill(~lists.mask.unsqueeze(-1), -torch.inf)
    rated = lists.labels.sum(dim=1, keepdim=True) > 0
    return replace(lists, labels=ratings.softmax(dim=1) * rated)


class Shuffled:
    """Endless indices 0 … count - 1, each pass in a new order."""

    def __init__(self, count: int):
        self.count = count
        self.left: list[int] = []  # of the pass that is under way

    def take(self, rng: np.random.Generator, n: int) -> list[int]:
        """Next n indices."""
        while len(self.left) < n:
            self.left = self.left + rng.permutation(self.count).tolist()
        taken, self.left = self.left[:n], self.left[n:]
        return taken


def decoupled_advantages(z: Array, weights: Array) -> Array:
    """Advantages (p, n) of rewards (p, n, m) under weights (p, m), as those of GDPO.

    Each objective is standardised within every prompt's samples, the weighted sum over the batch,
    so that a reward of small spread keeps its weight (arXiv 2601.05242).
    """
    own = (z - z.mean(axis=1, keepdims=True)) / (z.std(axis=1, ddof=1, keepdims=True) + STD_FLOOR)
    mixed = np.einsum("pnm,pm->pn", own, weights)
    return (mixed - mixed.mean()) / (mixed.std(ddof=1) + STD_FLOOR)


def leave_one_out(gain: Array) -> Array:
    """Each return minus the mean of its prompt's others, (p, n) to (p, n)."""
    n = gain.shape[1]
    return (gain - gain.mean(axis=1, keepdims=True)) * n / (n - 1)


def _expectations(
    policy: Any, every: Outcomes, control: Control, values: Array
) -> tuple[Tensor, Tensor]:
    """E values (rows, m) of `values` (rows, K, m), and KL to the start policy (rows,)."""
    log_policy = policy.log_policy(every.prompts, control)  # (rows, K)
    pi = log_policy.exp()
    expected = torch.einsum("rk,rkm->rm", pi, pi.new_tensor(values))
    return expected, (pi * (log_policy - every.start)).sum(dim=1)


def _array(x: Tensor) -> Array:
    return x.detach().cpu().double().numpy()


def mean_scores(benchmark: Benchmark, raw: Array) -> dict[str, float]:
    """Mean raw scores by objective, for the training log."""
    return {o.name: float(x) for o, x in zip(benchmark.objectives, raw.mean(axis=0), strict=True)}
