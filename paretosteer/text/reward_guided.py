"""Base class of methods that train autoregressive reward models, mixed with the start model.

Such a reward model is a language model trained to give the better of two answers the higher
likelihood. By default it is the start model itself with banks; the papers use another, smaller one.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Literal

from pydantic import PositiveFloat

from paretosteer.benchmark import Benchmark
from paretosteer.config.options import option
from paretosteer.config.schema import Model
from paretosteer.errors import UsageError
from paretosteer.interfaces import Array, Point, with_dial
from paretosteer.method import Method, TrainingOptions
from paretosteer.policies.conditioning import Conditioning
from paretosteer.policies.protocols import Policy
from paretosteer.storage.atomic import write_json

_FREE = {"feedback": ("reference_free",)}
_GIVEN = "reward_model.json"


class RewardGuided(Method):
    """A method with reward models as banks, on the start model or on another language model.

    Its `control` gives the start policy and the banks weights that depend on the dial `beta`.
    """

    class Options(TrainingOptions):
        """Options of every such method."""

        reward_model: str | None = option(
            None,
            "causal language model to train reward models from, with the start model's vocabulary: "
            "a folder or a hub name; null: the start model",
            place=True,
            only=_FREE,
        )
        beta_r: float | None = option(
            None,
            "temperature of the reward models' loss; null: beta_dpo",
            above=0,
            only=_FREE,
            replaces=("beta_dpo",),
        )
        scope: Literal["all", "attention", "qkv"] = option(
            "all",
            "layers that the reward models adapt: all linear layers, those of attention, or the "
            "ones for queries, keys and values, as in PARM's experiments",
        )
        dial: tuple[PositiveFloat, ...] = option((), "further values of the dial beta to evaluate")

    @classmethod
    def content_key(cls, options: Any) -> str | None:
        """Digest of the reward model's files, if it is not the start model."""
        from paretosteer.text.guide import OPTION
        from paretosteer.text.model_source import model_digest

        path = options.reward_model
        return None if path is None else model_digest(path, OPTION)

    @classmethod
    def changed_model(cls, options: Any, start: Model) -> Model:
        """The reward model, if it is not the start model."""
        from paretosteer.text.guide import OPTION
        from paretosteer.text.model_source import model_folder

        path = options.reward_model
        if path is None:
            return start
        return Model(name="hf", path=model_folder(path, OPTION), pad_token=None)

    def prepare(self, benchmark: Benchmark) -> None:
        """Refuse a reward model that does not fit the start model before anything is written."""
        from paretosteer.text.benchmark import TextBenchmark

        path = self.options.reward_model
        if path is not None and isinstance(benchmark, TextBenchmark):
            benchmark.guide(path)

    def start_policy(self, benchmark: Benchmark, conditioning: Conditioning, seed: int) -> Policy:
        """Start model, beside the reward model if that is another."""
        path = self.options.reward_model
        if path is None:
            return super().start_policy(benchmark, conditioning, seed)
        return benchmark.guided_policy(path, conditioning, seed)

    def save(self, folder: Path) -> None:
        """Save the digest of the reward model too, if it is not the start model."""
        super().save(folder)
        if digest := self.content_key(self.options):
            write_json(folder / _GIVEN, {"digest": digest})

    def load(self, folder: Path, benchmark: Benchmark) -> None:
        """Restore what `save` wrote; UsageError if the reward model has changed since."""
        path, digest = self.options.reward_model, self.content_key(self.options)
        if digest and json.loads((folder / _GIVEN).read_text()) != {"digest": digest}:
            raise UsageError(
                f"method.reward_model: {path!r} is not the model that the cell was trained with; "
                "restore its files"
            )
        super().load(folder, benchmark)

    @property
    def notes(self) -> Sequence[str]:
        """Name of a reward model that is not the start model, and how its passes count."""
        from paretosteer.text.guide import OPTION
        from paretosteer.text.model_source import model_commit, model_folder, source_name

        path = self.options.reward_model
        if path is None:
            return ()
        commit = model_commit(path, model_folder(path, OPTION))
        name = source_name(path) + (f" (commit {commit})" if commit else "")
        return (
            f"The reward models are trained from {name}, not from the start model; forward passes "
            "count each model alike, FLOPs count each by its size.",
        )

    def points(self, grid: Array) -> list[Point]:
        """Grid, then the grid at every value of the dial."""
        return with_dial(super().points(grid), "beta", self.options.dial)

    def dials(self) -> Mapping[str, float]:
        """`beta`, the strength of the start model against the reward models."""
        return {"beta": 0.0}
