"""Base class of benchmarks."""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, ClassVar

from paretosteer.config.options import BaseOptions
from paretosteer.config.schema import CellConfig
from paretosteer.errors import UnsupportedError, UsageError
from paretosteer.interfaces import Array, Fold, Lists
from paretosteer.objective import Objective
from paretosteer.policies.protocols import Policy, Samples
from paretosteer.policies.sampling_engine import SamplingEngine

if TYPE_CHECKING:
    from pathlib import Path

    import numpy as np
    import pandas as pd
    from torch import Tensor

    from paretosteer.config.schema import Model
    from paretosteer.config.setting import Setting
    from paretosteer.metrics.normalise import Normaliser
    from paretosteer.policies.conditioning import Conditioning
    from paretosteer.policies.control import Control

# Optimiser steps by budget, for benchmarks in which a step is as slow as for language models.
STEPS: Mapping[str, int] = {"smoke": 4, "quick": 120, "full": 1000}
ENOUGH_CALIBRATION = 20  # with fewer prompts, a standard deviation is off by more than 16 %
TRAINING: Mapping[str, Any] = {
    "learning_rate": 6e-3,
    "kappa": 0.03,
    "beta_dpo": 0.1,
    "list_size": 4,
    "condition": "prompt_text",
}


class Benchmark(ABC):
    """Prompts, a start policy, objectives, scores, and data for each kind of feedback.

    A benchmark is independent of methods and contains no loss. A subclass sets the class
    variables and `objectives`, and defines the abstract members; all others have defaults.

    Attributes
    ----------
    name
        Name under which it is registered.
    version
        Raise it when the same method would get other figures.
    prompts_version
        Raise it when prompts change under the same ids.
    feedback
        Supported kinds of feedback, each with a short description.
    steps
        Optimiser steps for each budget (smoke, quick, full).
    label_forms
        What preference labels can be made by from the ratings of `lists`: `l1`, their shares of
        the sum, needs ratings of at least 0; `softmax`. Empty if lists have no ratings.
    float32_only
        True if it supports no other precision.
    scores_need_labels
        True if an answer is scored with labels of its prompt, which a user's prompt lacks.
    Options
        Class of its options; see `paretosteer.config.options`.
    objectives
        Objectives, in the order of every weight vector.
    fold
        Fold of a cross-validation, if any.
    main_objective
        Name of the objective that the others are auxiliary to, if any.
    notes
        Caveats to report with its figures, one sentence each.

    """

    name: ClassVar[str]
    version: ClassVar[str]
    prompts_version: ClassVar[str] = "1"
    feedback: ClassVar[Mapping[str, str]]
    steps: ClassVar[Mapping[str, int]] = STEPS
    label_forms: ClassVar[tuple[str, ...]] = ()
    float32_only: ClassVar[bool] = False
    scores_need_labels: ClassVar[bool] = False
    Options: ClassVar[type[BaseOptions]]

    objectives: tuple[Objective, ...]
    fold: Fold | None = None
    main_objective: str | None = None
    notes: Sequence[str] = ()

    def __init__(self, options: Any, setting: Setting):
        self.options, self.setting = options, setting

    # -- read when a cell is planned, without an instance -------------------------------------

    @classmethod
    def training_defaults(cls, options: Any) -> Mapping[str, Any]:
        """Defaults of the training options, unless the method sets them."""
        return TRAINING

    @classmethod
    def model_defaults(cls, options: Any, model: Model) -> Mapping[str, Any]:
        """`training_defaults` for a start model; the same for every model unless overridden."""
        return cls.training_defaults(options)

    @classmethod
    @abstractmethod
    def model_key(cls, config: CellConfig, options: Any) -> str:
        """Digest of the configured start model, computed without loading it."""

    @classmethod
    @abstractmethod
    def objective_versions(cls, options: Any) -> Mapping[str, str]:
        """Version of each objective by name, in order."""

    @classmethod
    def describe_data(cls, options: Any) -> Sequence[str]:
        """Amounts of data, one line each, for `--dry-run`.

        Called when a cell is planned; raises UsageError if there are too few data to train on.
        """
        return ()

    @classmethod
    def check_engine(cls, config: CellConfig) -> None:
        """Raise UsageError if the configured engine cannot write samples of this benchmark.

        Called when a cell is planned. By default only the benchmark's own sampling is supported.
        """
        if (name := config.engine.name) != "native":
            raise UsageError(
                f"engine: {name!r} writes with language models, and {config.benchmark.name} has "
                "none; set engine=native"
            )

    # -- start model, prompts and normalisation -----------------------------------------------

    @property
    @abstractmethod
    def model_name(self) -> str:
        """Name of the start model in tables."""

    @property
    def model_commit(self) -> str | None:
        """Commit of a start model from a hub; None for any other."""
        return None

    @property
    @abstractmethod
    def normaliser(self) -> Normaliser:
        """Mean and standard deviation of the start model's scores on calibration prompts."""

    @property
    def reference(self) -> tuple[float, ...]:
        """Reference point of the hypervolume, (m,), in normalised units: two deviations down."""
        return (-2.0,) * len(self.objectives)

    @property
    def max_failed(self) -> float:
        """Share of samples that may fail to be scored before the cell fails."""
        # Without checks the start model may be so poor that many samples cannot be scored.
        return 0.01 if self.setting.budget.checks else 0.5

    @property
    def scoring_notes(self) -> Sequence[str]:
        """Likely causes of samples without a score, for the error that they raise."""
        return ()

    @abstractmethod
    def split(self, name: str) -> Sequence[Any]:
        """All prompts of a split (train, calibration, validation, test)."""

    def prompts(self, split: str) -> Sequence[Any]:
        """Prompts of a split, limited by the budget for validation and test."""
        budget = self.setting.budget
        limits = {"validation": budget.validation_prompts, "test": budget.test_prompts}
        return self.split(split)[: limits.get(split)]

    @abstractmethod
    def start_policy(self, conditioning: Conditioning, seed: int) -> Policy:
        """Untrained policy, equal to the start model, with the given conditioning."""

    def guided_policy(self, guide: str, conditioning: Conditioning, seed: int) -> Policy:
        """Untrained policy of two models: the start model, and one that the conditioning changes.

        `guide` is the folder or hub name of the second, which runs under every control but
        `Control.start`. UnsupportedError unless the benchmark is about language models.
        """
        raise UnsupportedError(
            f"method.reward_model: {self.name} has no language model that another could guide; "
            "leave it null"
        )

    def engine(self, folder: Path) -> SamplingEngine:
        """Engine that writes the samples of a cell; its log goes into the cell's `folder`."""
        return SamplingEngine()

    # -- scores -------------------------------------------------------------------------------

    @abstractmethod
    def score(self, samples: Any) -> Array:
        """Raw scores, (rows, m); NaN where a sample cannot be scored."""

    def describe(self, samples: Any) -> list[dict[str, str]]:
        """Fields of each row for `samples.jsonl`; empty if there is nothing to show."""
        return []

    def recall(self, shown: pd.DataFrame) -> Any:
        """Restore samples from the output of `describe`, to be scored again."""
        raise NotImplementedError(f"{self.name} describes its samples but cannot recall them")

    def extra_measures(self, policy: Policy, control: Control) -> Mapping[str, Array]:
        """Measure a trained policy otherwise than by the scores of its samples.

        Parameters
        ----------
        policy
            The trained policy.
        control
            One row for each of k points.

        Returns
        -------
        Arrays (k, n) by name, stored in the record. A leaderboard metric that needs an input of
        such a name is computed from it; see `ROW_INPUTS`.

        """
        return {}

    # -- training data ------------------------------------------------------------------------

    def lists(self, rng: np.random.Generator, weights: Array, size: int | None) -> Lists:
        """One list of candidates per row of `weights` (lists, m), for `preference` feedback.

        A list has `size` candidates; None uses whole lists of the benchmark. If every list has
        labels for all objectives, the values of `weights` are ignored. If a list has labels for one
        objective only, the objective is drawn in proportion to the weights and its labels are
        scaled, so that the expected loss is still sum_j w_j L_j.
        """
        raise NotImplementedError(f"{self.name} gives no preference feedback")

    def demonstrations(self, rng: np.random.Generator, weights: Array, quantile: float) -> Samples:
        """One sample of the top quantile per row of `weights` (rows, m), for `imitation`."""
        raise NotImplementedError(f"{self.name} gives no imitation feedback")

    # -- for subclasses -----------------------------------------------------------------------

    def _drawn(self, rng: np.random.Generator, count: int) -> list[Any]:
        """Draw training prompts with replacement."""
        prompts = self.prompts("train")
        return [prompts[i] for i in rng.integers(len(prompts), size=count)]

    def _tensor(self, array: Any) -> Tensor:
        """Array as a tensor on the setting's device."""
        import torch

        return torch.as_tensor(array, device=self.setting.device)


def few_calibration(count: int, kind: str) -> str:
    """Caveat for a normaliser of a few prompts or queries (`kind`); empty if there are enough."""
    if count >= ENOUGH_CALIBRATION:
        return ""
    error = 1 / math.sqrt(2 * max(1, count - 1))
    return (
        f"Units come from only {count} calibration {kind}: a unit is uncertain by about "
        f"{min(1, error):.0%}, so do not compare these figures with those of other data."
    )


def own_model_only(config: CellConfig) -> None:
    """Raise UsageError for language-model settings in a benchmark with its own start model."""
    name = config.benchmark.name
    if config.model.name != "embedded":
        raise UsageError(
            f"model: found {config.model.name!r}, but {name} makes its own start model; "
            "set model=embedded"
        )
    if config.dtype != "float32":
        raise UsageError(
            f"dtype: found {config.dtype!r}, but {name} computes in float32 only; set dtype=float32"
        )
