"""Values that methods, benchmarks and training exchange."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any, Protocol, runtime_checkable

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    import torch
    from torch import Tensor

Array = NDArray[np.float64]


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


def with_dial(points: Sequence[Point], name: str, values: Iterable[float]) -> list[Point]:
    """Points, then all of them again at every value of a dial."""
    return [*points, *(replace(each, dials={name: float(x)}) for x in values for each in points)]


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
    label_scale
        Labels that were made of rewards are the softmax of label_scale * rewards.
    keys
        Name of every list (lists,), the same whenever the list is drawn again, for caches. The
        candidates of such lists have `take(rows)`, row by row and list by list.
    ratings
        (lists, n, m), grades or rewards that the labels were made of; None if only the winner of a
        list is known.

    """

    candidates: Any
    labels: Tensor
    start_log_probs: Tensor
    tokens: int
    mask: Tensor | None = None
    score: Callable[[], Tensor] | None = None
    label_scale: float = 1.0
    keys: Sequence[Hashable] | None = None
    ratings: Tensor | None = None

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
            ratings=None if self.ratings is None else self.ratings.to(device),
        )


@dataclass(frozen=True)
class Fold:
    """One fold of a cross-validation."""

    index: int
    of: int  # number of folds
    family: str  # digest of everything that the folds share


@dataclass(frozen=True)
class Oracle:
    """Pareto front, in the coordinates of points."""

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
    possible sample, and their answers are dataclasses that hold it as `log_policy`, a float64
    tensor (rows, K). Points are in the regularised coordinates E z_i - kl_coefficient * KL, in
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
