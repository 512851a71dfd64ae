"""The parts that a method, a benchmark and a policy show each other.

A benchmark knows nothing of methods, and no loss lives in it. A policy hides its world's shape
behind scores of what it sampled. Training (`paretosteer.training`) sees only this.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any, Protocol, runtime_checkable

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    import torch
    from torch import Tensor
    from torch.nn import Parameter

    from paretosteer.policies.control import Control

Array = NDArray[np.float64]


@dataclass(frozen=True)
class Objective:
    """One thing to want more of. Higher is always better: a cost is declared with its sign turned.

    `worst` is the raw value that a sample gets which cannot be scored.
    """

    name: str
    unit: str
    worst: float
    description: str
    version: str = "1"


@dataclass(frozen=True)
class Drift:
    """How far answers are from the start policy's, per row, each (rows,).

    `kl` and `start_nll` (negative log-likelihood under the start policy) in nats per sample;
    `tokens` the units that each row consists of.
    """

    kl: Array
    start_nll: Array
    tokens: Array

    @classmethod
    def of(cls, kl: Tensor, start_nll: Tensor, tokens: Tensor) -> Drift:
        """From tensors on any device."""
        return cls(*(x.cpu().double().numpy() for x in (kl, start_nll, tokens)))


@dataclass(frozen=True)
class Point:
    """One place on a method's controls: a preference, and any further dials."""

    preference: tuple[float, ...]
    dials: Mapping[str, float] = field(default_factory=dict)


class Answers(Protocol):
    """What a policy came to, row by row; only its own world reads further into it."""

    @property
    def tokens(self) -> int:
        """Units over all rows (tokens, ranked documents, actions)."""
        ...

    def __len__(self) -> int: ...


class Samples(Answers, Protocol):
    """Answers that were drawn, to learn from."""

    @property
    def mask(self) -> Tensor:
        """Which scores belong to the sample, (rows, T) bool."""
        ...

    @property
    def log_probs(self) -> Tensor:
        """What the policy that drew them gave them, (rows, T)."""
        ...


class Policy(Protocol):
    """One world's model under one conditioning. `Control.start` gives the start policy back."""

    @property
    def size(self) -> int:
        """Weights that a forward pass uses, for counting FLOPs."""
        ...

    def row_bytes(self, prompts: Sequence[Any]) -> int:
        """Estimated memory, in bytes, for answering the longest of these prompts."""
        ...

    def sample(
        self, prompts: Sequence[Any], control: Control, seed: int, samples: Sequence[int]
    ) -> Samples:
        """Sample once per row, to learn from: prompts, control and sample numbers are aligned."""
        ...

    def answer(
        self, prompts: Sequence[Any], control: Control, seed: int, samples: Sequence[int]
    ) -> Answers:
        """What a user gets and what is scored: samples, or the world's own way to decide."""
        ...

    def drift(self, answers: Any, control: Control) -> Drift:
        """How far answers under these controls are from the start policy."""
        ...

    def log_probs(self, samples: Any, control: Control) -> Tensor:
        """Log-probabilities (rows, T) under each row's control, 0 outside the mask."""
        ...

    def list_log_probs(self, candidates: Any, control: Control) -> Tensor:
        """Scores (lists, n) of the candidates of lists, one control row per list."""
        ...

    def parameters(self, bank: int | None = None) -> list[Parameter]:
        """Everything trainable, or one bank of it."""
        ...

    def keep_banks(self, banks: Sequence[int]) -> None:
        """Drop every bank but these, in this order."""
        ...

    def state(self) -> dict[str, Tensor]:
        """The trainable tensors by name."""
        ...

    def load_state(self, state: Mapping[str, Tensor]) -> None:
        """Take back what `state` gave; UsageError where names or shapes differ."""
        ...


@runtime_checkable
class Dropping(Protocol):
    """A policy whose training passes draw something of their own."""

    def dropout_state(self) -> Tensor | None:
        """State, as bytes, of what they draw from; None where nothing was drawn yet."""
        ...

    def set_dropout_state(self, state: Tensor | None) -> None:
        """Draw again as after `dropout_state`."""
        ...


@dataclass(frozen=True)
class Lists:
    """Candidates to compare: what preference feedback learns from.

    Attributes
    ----------
    candidates
        The benchmark's own; its policies score them with `list_log_probs`.
    labels
        (lists, n, m), non-negative. They sum to 1 over a list's candidates, or are all 0 where an
        objective has no opinion on a list (and to more in a list that stands for others, see
        `Benchmark.lists`).
    start_log_probs
        (lists, n), under the start policy.
    tokens
        Units over all candidates.
    mask
        (lists, n) bool, which candidates exist where lists differ in length.
    score
        Computes `rewards` (lists, n, m). A function, since reward models may be expensive and most
        losses read none.

    """

    candidates: Any
    labels: Tensor
    start_log_probs: Tensor
    tokens: int
    mask: Tensor | None = None
    score: Callable[[], Tensor] | None = None

    @property
    def rewards(self) -> Tensor | None:
        """Normalised rewards (lists, n, m), in the unit of training; None without a scorer."""
        return None if self.score is None else self.score().to(self.labels.device)

    def to(self, device: torch.device) -> Lists:
        """The same lists with their tensors on another device."""
        return replace(
            self,
            labels=self.labels.to(device),
            start_log_probs=self.start_log_probs.to(device),
            mask=None if self.mask is None else self.mask.to(device),
        )


@dataclass(frozen=True)
class Fold:
    """One fold of a cross-validation; `family` digests everything that its folds share."""

    index: int
    of: int
    family: str


@dataclass(frozen=True)
class Oracle:
    """The best front there is, in the coordinates of points.

    `points` (k, m) answer k preferences, `start` (m,) is the start policy's point.
    """

    points: Array
    start: Array


@runtime_checkable
class Rewarded(Protocol):
    """A benchmark whose objectives are reward models, which are themselves to be judged."""

    @property
    def reward_models(self) -> Mapping[str, Any]:
        """What a record says of them: `models`, and where there are any `judges`, by objective."""
        ...

    def judged(self, samples: Any) -> Array | None:
        """Raw scores (rows, m) by models that nothing was trained on; None where there are none."""
        ...


@runtime_checkable
class Exact(Protocol):
    """A benchmark with few possible samples, so that every expectation is a sum.

    Its policies offer `log_policy(prompts, control) -> (rows, K)`, the log-probability of each.
    Points are in regularised coordinates E z_i - kl_coefficient * KL: raw reward can always be
    bought with more KL, and only there is the oracle optimal.
    """

    @property
    def kl_coefficient(self) -> float:
        """Price of a nat of KL, in standard units of reward."""
        ...

    def outcomes(self, prompts: Sequence[Any]) -> Array:
        """Raw scores (rows, K, m) of every possible sample."""
        ...

    def oracle(self, preferences: Array) -> Oracle:
        """The best policy's points at preferences (k, m), on test prompts."""
        ...
