"""What a benchmark need not say: the usual answers to most of the `Benchmark` interface."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, ClassVar

from paretosteer.config.schema import CellConfig
from paretosteer.errors import UsageError
from paretosteer.interfaces import Fold, Objective

if TYPE_CHECKING:
    import numpy as np
    import pandas as pd
    from torch import Tensor

    from paretosteer.config.setting import Setting

# Optimiser steps by budget, for worlds in which a step takes as long as in text.
STEPS: Mapping[str, int] = {"smoke": 4, "quick": 120, "full": 1000}
TRAINING: Mapping[str, Any] = {
    "learning_rate": 6e-3,
    "kappa": 0.03,
    "beta_dpo": 0.1,
    "list_size": 4,
}


class World(ABC):
    """Base of a benchmark. A subclass sets `objectives` and what is its own."""

    name: ClassVar[str]
    version: ClassVar[str]
    prompts_version: ClassVar[str] = "1"
    feedback: ClassVar[Mapping[str, str]]
    steps: ClassVar[Mapping[str, int]] = STEPS
    float32_only: ClassVar[bool] = False  # computes in no other precision
    Options: ClassVar[type]

    objectives: tuple[Objective, ...]
    fold: Fold | None = None
    notes: Sequence[str] = ()

    def __init__(self, options: Any, setting: Setting):
        self.options, self.setting = options, setting

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
        """Version of each objective by name, in their order, without building the benchmark."""

    @abstractmethod
    def split(self, name: str) -> Sequence[Any]:
        """All prompts of one split (train, calibration, validation, test)."""

    def prompts(self, split: str) -> Sequence[Any]:
        """The prompts of one split; the budget may ask for fewer to validate and test on."""
        budget = self.setting.budget
        limits = {"validation": budget.validation_prompts, "test": budget.test_prompts}
        return self.split(split)[: limits.get(split)]

    def _drawn(self, rng: np.random.Generator, count: int) -> list[Any]:
        """Training prompts, drawn with replacement."""
        prompts = self.prompts("train")
        return [prompts[i] for i in rng.integers(len(prompts), size=count)]

    def _tensor(self, array: Any) -> Tensor:
        """An array on the setting's device."""
        import torch

        return torch.as_tensor(array, device=self.setting.device)

    @property
    def reference(self) -> tuple[float, ...]:
        """-2 standard units in every objective."""
        return (-2.0,) * len(self.objectives)

    @property
    def max_failed(self) -> float:
        """1 %; without checks the start model may be too poor to be scored every time."""
        return 0.01 if self.setting.budget.checks else 0.5

    def describe(self, samples: Any) -> list[dict[str, str]]:
        """Nothing to show."""
        return []

    def recall(self, shown: pd.DataFrame) -> Any:
        """Samples as `describe` showed them."""
        raise NotImplementedError(f"{self.name} describes its samples but cannot recall them")


def own_model_only(config: CellConfig) -> None:
    """Refuse settings of language models in a world that makes its own small start model."""
    name = config.benchmark.name
    if config.model.name != "embedded":
        raise UsageError(
            f"model: found {config.model.name!r}, but {name} makes its own start model; "
            "say model=embedded"
        )
    if config.dtype != "float32":
        raise UsageError(f"dtype: found {config.dtype!r}, but {name} computes in float32 only")
