"""Types shared by methods, benchmarks and policies.

A benchmark knows nothing about methods and contains no loss. A policy hides the structure of its
benchmark behind log-probabilities of its samples. Training (`paretosteer.training`) depends only on
these interfaces.
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
    """A quantity to maximise; a cost is declared with its sign flipped."""

    name: str
    unit: str
    worst: float  # raw value of a sample that cannot be scored
    description: str
    version: str = "1"


@dataclass(frozen=True)
class Drift:
    """Distance of answers from the start policy, per row; all arrays are (rows,)."""

    kl: Array  # nats per sample
    start_nll: Array  # negative log-likelihood under the start policy, nats per sample
    tokens: Array  # units of each row

    @classmethod
    def of(cls, kl: Tensor, start_nll: Tensor, tokens: Tensor) -> Drift:
        """Make a Drift from tensors on any device."""
        return cls(*(x.cpu().double().numpy() for x in (kl, start_nll, tokens)))


@dataclass(frozen=True)
class Point:
    """A setting of a method's controls: a preference, and any further dials."""

    preference: tuple[float, ...]
    dials: Mapping[str, float] = field(default_factory=dict)


class Answers(Protocol):
    """Outputs of a policy, one per row; their content is private to the benchmark."""

    @property
    def tokens(self) -> int:
        """Total number of units over all rows (tokens, ranked documents, actions)."""
        ...

    def __len__(self) -> int: ...


class Samples(Answers, Protocol):
    """Sampled answers, for training."""

    @property
    def mask(self) -> Tensor:
        """Positions that belong to the sample, (rows, T) bool."""
        ...

    @property
    def log_probs(self) -> Tensor:
        """Log-probabilities under the policy that sampled them, (rows, T)."""
        ...


class Policy(Protocol):
    """A benchmark's model with one conditioning; under `Control.start` it is the start policy."""

    @property
    def size(self) -> int:
        """Number of weights used in a forward pass, for counting FLOPs."""
        ...

    def row_bytes(self, prompts: Sequence[Any]) -> int:
        """Estimated memory for answering the longest of these prompts, in bytes."""
        ...

    def sample(
        self, prompts: Sequence[Any], control: Control, seed: int, samples: Sequence[int]
    ) -> Samples:
        """Sample once per row, for training; prompts, control and sample numbers are aligned."""
        ...

    def answer(
        self, prompts: Sequence[Any], control: Control, seed: int, samples: Sequence[int]
    ) -> Answers:
        """Answer as for a user: with samples, or with the benchmark's own decision rule.

        These answers are scored.
        """
        ...

    def drift(self, answers: Any, control: Control) -> Drift:
        """Drift of answers under these controls from the start policy."""
        ...

    def log_probs(self, samples: Any, control: Control) -> Tensor:
        """Log-probabilities (rows, T) under each row's control, 0 outside the mask."""
        ...

    def list_log_probs(self, candidates: Any, control: Control) -> Tensor:
        """Scores (lists, n) of the candidates of lists, one control row per list."""
        ...

    def parameters(self, bank: int | None = None) -> list[Parameter]:
        """Trainable parameters, or those of one bank."""
        ...

    def keep_banks(self, banks: Sequence[int]) -> None:
        """Keep only these banks, in this order."""
        ...

    def state(self) -> dict[str, Tensor]:
        """Trainable tensors by name."""
        ...

    def load_state(self, state: Mapping[str, Tensor]) -> None:
        """Load the output of `state`; raise UsageError if names or shapes differ."""
        ...


@runtime_checkable
class Dropping(Protocol):
    """A policy with dropout, whose random state has to be saved with a snapshot."""

    def dropout_state(self) -> Tensor | None:
        """State of the dropout generator as bytes; None if it has not been used yet."""
        ...

    def set_dropout_state(self, state: Tensor | None) -> None:
        """Restore the output of `dropout_state`."""
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
        """Copy with the tensors on another device."""
        return replace(
            self,
            labels=self.labels.to(device),
            start_log_probs=self.start_log_probs.to(device),
            mask=None if self.mask is None else self.mask.to(device),
        )


@dataclass(frozen=True)
class Fold:
    """One fold of a cross-validation."""

    index: int
    of: int  # number of folds
    family: str  # digest of everything that the folds share


@dataclass(frozen=True)
class Oracle:
    """The Pareto front, in the coordinates of points."""

    points: Array  # (k, m), optimal for k preferences
    start: Array  # (m,), point of the start policy


@runtime_checkable
class Rewarded(Protocol):
    """A benchmark whose objectives are reward models, with optional judges."""

    @property
    def reward_models(self) -> Mapping[str, Any]:
        """Facts for the record: `models` and, if any, `judges`, each by objective."""
        ...

    def judged(self, samples: Any) -> Array | None:
        """Raw scores (rows, m) of the judges, on which nothing is trained; None without judges."""
        ...


@runtime_checkable
class Exact(Protocol):
    """A benchmark with so few possible samples that expectations are exact sums.

    Its policies have `log_policy(prompts, control) -> (rows, K)`, the log-probability of each
    possible sample. Points are in the regularised coordinates E z_i - kl_coefficient * KL, in
    which the oracle is optimal; raw reward alone can always be raised by spending more KL.
    """

    @property
    def kl_coefficient(self) -> float:
        """Price of a nat of KL, in normalised reward."""
        ...

    def outcomes(self, prompts: Sequence[Any]) -> Array:
        """Raw scores of every possible sample, (rows, K, m)."""
        ...

    def oracle(self, preferences: Array) -> Oracle:
        """Points of the optimal policies for preferences (k, m), on the test prompts."""
        ...
