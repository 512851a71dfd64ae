"""The contract of a benchmark, and the usual answers to most of it."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, ClassVar

from paretosteer.config.options import BaseOptions
from paretosteer.config.schema import CellConfig
from paretosteer.errors import UsageError
from paretosteer.interfaces import Array, Fold, Lists, Objective, Policy, Samples

if TYPE_CHECKING:
    import numpy as np
    import pandas as pd
    from torch import Tensor

    from paretosteer.config.setting import Setting
    from paretosteer.metrics.normalise import Normaliser
    from paretosteer.policies.conditioning import Conditioning

# Optimiser steps by budget, for benchmarks in which a step takes as long as in text.
STEPS: Mapping[str, int] = {"smoke": 4, "quick": 120, "full": 1000}
TRAINING: Mapping[str, Any] = {
    "learning_rate": 6e-3,
    "kappa": 0.03,
    "beta_dpo": 0.1,
    "list_size": 4,
}


class Benchmark(ABC):
    """Prompts, a start policy, objectives, data for each kind of feedback, and scores.

    A benchmark knows nothing of methods, and no loss lives in it. A subclass sets the class
    variables and `objectives`, and defines the abstract members; the rest has a usual answer.

    Attributes
    ----------
    name
        The name it is registered under.
    version
        Raised when the same method would get other figures.
    prompts_version
        Raised when prompts change under the same ids.
    feedback
        Each kind of feedback it supports, with a few words on what that is.
    steps
        Optimiser steps of every budget (smoke, quick, full).
    float32_only
        Whether it computes in no other precision.
    Options
        Its options; see `paretosteer.config.options`.
    objectives
        What is steered, in the order of every weight vector.
    fold
        Which part of a cross-validation this is, if any.
    notes
        What a reader of its figures must know, in sentences.

    """

    name: ClassVar[str]
    version: ClassVar[str]
    prompts_version: ClassVar[str] = "1"
    feedback: ClassVar[Mapping[str, str]]
    steps: ClassVar[Mapping[str, int]] = STEPS
    float32_only: ClassVar[bool] = False
    Options: ClassVar[type[BaseOptions]]

    objectives: tuple[Objective, ...]
    fold: Fold | None = None
    notes: Sequence[str] = ()

    def __init__(self, options: Any, setting: Setting):
        self.options, self.setting = options, setting

    # -- what plans read, without building it -------------------------------------------------

    @classmethod
    def training_defaults(cls, options: Any) -> Mapping[str, Any]:
        """Values of the training options that a method leaves to the benchmark."""
        return TRAINING

    @classmethod
    @abstractmethod
    def model_key(cls, config: CellConfig, options: Any) -> str:
        """Digest of the start model under a configuration, without loading it."""

    @classmethod
    @abstractmethod
    def objective_versions(cls, options: Any) -> Mapping[str, str]:
        """Version of each objective by name, in their order."""

    # -- what it consists of ------------------------------------------------------------------

    @property
    @abstractmethod
    def model_name(self) -> str:
        """The start model as tables name it."""

    @property
    @abstractmethod
    def normaliser(self) -> Normaliser:
        """Mean and deviation of the start model's scores on calibration prompts."""

    @property
    def reference(self) -> tuple[float, ...]:
        """Reference point of the hypervolume in the start model's standard units, (m,): -2."""
        return (-2.0,) * len(self.objectives)

    @property
    def max_failed(self) -> float:
        """Share of samples that may stay unscored before a cell fails.

        1 %; without checks the start model may be too poor to be scored every time.
        """
        return 0.01 if self.setting.budget.checks else 0.5

    @abstractmethod
    def split(self, name: str) -> Sequence[Any]:
        """All prompts of one split (train, calibration, validation, test)."""

    def prompts(self, split: str) -> Sequence[Any]:
        """The prompts of one split; the budget may ask for fewer to validate and test on."""
        budget = self.setting.budget
        limits = {"validation": budget.validation_prompts, "test": budget.test_prompts}
        return self.split(split)[: limits.get(split)]

    @abstractmethod
    def start_policy(self, conditioning: Conditioning, seed: int) -> Policy:
        """A policy equal to the start model until it is trained."""

    # -- scores -------------------------------------------------------------------------------

    @abstractmethod
    def score(self, samples: Any) -> Array:
        """Raw scores (rows, m); NaN where a sample cannot be scored."""

    def describe(self, samples: Any) -> list[dict[str, str]]:
        """What `samples.jsonl` keeps of each row; empty where there is nothing to show."""
        return []

    def recall(self, shown: pd.DataFrame) -> Any:
        """Samples that can be scored again, from what `describe` kept."""
        raise NotImplementedError(f"{self.name} describes its samples but cannot recall them")

    # -- data to learn from -------------------------------------------------------------------

    def lists(self, rng: np.random.Generator, weights: Array, size: int | None) -> Lists:
        """For each row of `weights` (lists, m), one list (feedback kind `preference`).

        It has `size` candidates, or is one of the benchmark's own lists whole. Where every list
        has labels of all objectives, the values of the weights do not matter. Where a list has
        them of one objective alone, that is drawn by the weights and its labels are scaled, so
        that sum_j w_j L_j has the same expectation.
        """
        raise NotImplementedError(f"{self.name} gives no preference feedback")

    def demonstrations(self, rng: np.random.Generator, weights: Array, quantile: float) -> Samples:
        """For each row of `weights` (rows, m), a sample of its top quantile (`imitation`)."""
        raise NotImplementedError(f"{self.name} gives no imitation feedback")

    # -- for subclasses -----------------------------------------------------------------------

    def _drawn(self, rng: np.random.Generator, count: int) -> list[Any]:
        """Training prompts, drawn with replacement."""
        prompts = self.prompts("train")
        return [prompts[i] for i in rng.integers(len(prompts), size=count)]

    def _tensor(self, array: Any) -> Tensor:
        """An array on the setting's device."""
        import torch

        return torch.as_tensor(array, device=self.setting.device)


def own_model_only(config: CellConfig) -> None:
    """Refuse settings of language models in a benchmark that makes its own small start model."""
    name = config.benchmark.name
    if config.model.name != "embedded":
        raise UsageError(
            f"model: found {config.model.name!r}, but {name} makes its own start model; "
            "set model=embedded"
        )
    if config.dtype != "float32":
        raise UsageError(f"dtype: found {config.dtype!r}, but {name} computes in float32 only")
