"""The parts that a method, a benchmark and a policy show each other.

A benchmark knows nothing of methods, and no loss lives in it. A policy hides its world's shape
behind scores of what it sampled. Training (`paretosteer.feedback`, `paretosteer.trainer`) sees only
this.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    import pandas as pd
    import torch
    from torch import Tensor
    from torch.nn import Parameter

    from paretosteer.cells.setting import Setting
    from paretosteer.conditioning import Conditioning
    from paretosteer.control import Control
    from paretosteer.metrics.normalise import Normaliser

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
class Point:
    """One place on a method's controls: a preference, and any further dials."""

    preference: tuple[float, ...]
    dials: Mapping[str, float] = field(default_factory=dict)


class Samples(Protocol):
    """What a policy sampled, row by row; only its own world reads further into it."""

    @property
    def mask(self) -> Tensor:
        """Which scores belong to the sample, (rows, T) bool."""
        ...

    @property
    def log_probs(self) -> Tensor:
        """What the policy that drew them gave them, (rows, T)."""
        ...

    @property
    def tokens(self) -> int:
        """Units sampled over all rows (tokens, ranked documents, actions)."""
        ...

    def __len__(self) -> int: ...


class Policy(Protocol):
    """One world's model under one conditioning. `Control.start` gives the start policy back."""

    @property
    def size(self) -> int:
        """Weights that a forward pass uses, for counting FLOPs."""
        ...

    def sample(
        self, prompts: Sequence[Any], control: Control, seed: int, samples: Sequence[int]
    ) -> Samples:
        """Sample once per row: `prompts`, `control` and sample numbers are row-aligned."""
        ...

    def scores(self, samples: Any, control: Control) -> Tensor:
        """Log-probabilities (rows, T) under each row's control, 0 outside the mask."""
        ...

    def candidate_scores(self, candidates: Any, control: Control) -> Tensor:
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


@dataclass(frozen=True)
class Lists:
    """Candidates to compare: what preference feedback learns from.

    `candidates` is the world's own; `labels` (lists, n, m) are non-negative and sum to 1 over a
    list's candidates, or are all 0 where an objective says nothing about a list; `start`
    (lists, n) are the start policy's scores.
    """

    candidates: Any
    labels: Tensor
    start: Tensor
    tokens: int

    def to(self, device: torch.device) -> Lists:
        """The same lists with labels and scores on another device."""
        return replace(self, labels=self.labels.to(device), start=self.start.to(device))


class Benchmark(Protocol):
    """A world: prompts, a start policy, objectives, data for each feedback it supports, scores."""

    @property
    def name(self) -> str:
        """The name that it is registered under."""
        ...

    @property
    def version(self) -> str:
        """Raised when the same method would get other figures."""
        ...

    @property
    def prompts_version(self) -> str:
        """Raised when prompts change under the same ids."""
        ...

    @property
    def model_name(self) -> str:
        """The start model as tables name it."""
        ...

    @property
    def objectives(self) -> tuple[Objective, ...]:
        """What is steered, in the order of every weight vector."""
        ...

    @property
    def reference(self) -> tuple[float, ...]:
        """Reference point of the hypervolume, in the start model's standard units, (m,)."""
        ...

    @property
    def feedback(self) -> Mapping[str, str]:
        """Each feedback kind that it supports, and what that is in a few words."""
        ...

    @property
    def max_failed(self) -> float:
        """Share of samples that may stay unscored before a cell fails (0.01)."""
        ...

    @property
    def setting(self) -> Setting:
        """What it was built under: model, budget, device."""
        ...

    @property
    def normaliser(self) -> Normaliser:
        """Mean and deviation of the start model's scores on calibration prompts."""
        ...

    def prompts(self, split: str) -> Sequence[Any]:
        """The prompts of one split (train, calibration, validation, test)."""
        ...

    def start_policy(self, conditioning: Conditioning, seed: int) -> Policy:
        """A policy equal to the start model until it is trained."""
        ...

    def score(self, samples: Any) -> Array:
        """Raw scores (rows, m); NaN where a sample cannot be scored."""
        ...

    def describe(self, samples: Any) -> list[dict[str, str]]:
        """What `samples.jsonl` keeps of each row; an empty list in a world with nothing to show."""
        ...

    def recall(self, shown: pd.DataFrame) -> Any:
        """Samples that can be scored again from what `describe` kept."""
        ...

    def lists(self, rng: np.random.Generator, lists: int, size: int) -> Lists:
        """Lists of `size` candidates from training prompts (feedback kind `preference`)."""
        ...

    def demonstrations(self, rng: np.random.Generator, weights: Array, quantile: float) -> Samples:
        """For each row of `weights` (rows, m), a sample of its top quantile (`imitation`)."""
        ...
