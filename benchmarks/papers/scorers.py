"""Scorers of an objective: a reward model, or an `evaluate` metric with references."""

from __future__ import annotations

import inspect
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np

import paretosteer.metrics
from paretosteer.benchmarks.papers.task_items import Item
from paretosteer.errors import UsageError, did_you_mean, first_line
from paretosteer.interfaces import Array
from paretosteer.plugins.local_modules import local_digests
from paretosteer.storage import opened_files
from paretosteer.storage.digest import digest, file_digest
from paretosteer.storage.origin import note_code
from paretosteer.text.rewards import (
    RewardModel,
    RewardSpec,
    load_reward,
    reading_notes,
    reward_digest,
)
from paretosteer.text.rewards.reward_spec import OF_SEGMENTS

if TYPE_CHECKING:
    import torch

# Settings that belong to the weights of one reward model.
_SCORED = (
    *("form", "logit", "against", "sign", "probability", "mean", "std", "template"),
    *("truncation", "pad_token", "max_length"),
)

HUB = Path(paretosteer.metrics.__file__).parent / "hub"


class Scorer(Protocol):
    """Scores batches of answers."""

    @property
    def note(self) -> str | None:
        """Caveat to report with the scores, if any."""
        ...

    def refusal(self, item: Item) -> str | None:
        """Reason for which no answer to an item can be scored, if any."""
        ...

    def score(self, items: Sequence[Item], answers: Sequence[str]) -> Array:
        """One score per answer, (rows,); higher is better, NaN where there is none."""
        ...


@dataclass(frozen=True)
class MetricSpec:
    """A `benchmark.rewards.NAME` that names an `evaluate` module of ours, or a local folder.

    Under `key`, the module's `compute(predictions, references, use_aggregator=False)` returns one
    number per answer.
    """

    name: str
    metric: str
    key: str

    @property
    def option(self) -> str:
        """Name of the option, for errors."""
        return f"benchmark.rewards.{self.name}"

    @property
    def file(self) -> Path:
        """File of the module; raise UsageError if it does not exist."""
        folder = Path(self.metric) if "/" in self.metric else HUB / self.metric
        file = folder / f"{folder.name}.py"
        if not file.is_file():
            raise UsageError(
                f"{self.option}.metric: {str(file)!r} does not exist; set it to one of the "
                "packaged modules or to a local folder (modules are never downloaded)"
            )
        return file

    def files(self) -> dict[str, str]:
        """Digest of every file that the module may read: its folder's, and modules it imports."""
        folder = self.file.parent
        found = {
            path.relative_to(folder).as_posix(): file_digest(path)
            for path in folder.rglob("*")
            if path.is_file() and path.parent.name != "__pycache__"
        }
        return found | local_digests(folder.rglob("*.py"))


Spec = RewardSpec | MetricSpec


def spec_of(name: str, given: Any, published: Mapping[str, Any]) -> Spec:
    """Scorer of one objective: the `published` settings, overridden by those `given`.

    A string replaces the path of the model alone. Another form does without the settings of the
    form `segments`.
    """
    own = {"path": given} if isinstance(given, str) else given or {}
    if own.get("form", "segments") != "segments":
        published = {key: value for key, value in published.items() if key not in OF_SEGMENTS}
    settings = {**published, **own}
    if "metric" not in settings:
        return RewardSpec.of(settings, name)
    allowed = [field.name for field in fields(MetricSpec) if field.name != "name"]
    for key in settings:
        if key not in allowed:
            raise UsageError(
                f"benchmark.rewards.{name}.{key} is not a setting of a metric; "
                f"{did_you_mean(key, allowed)}"
            )
    return MetricSpec(name, **settings)


def kept_settings(spec: Spec, published: Mapping[str, Any]) -> str | None:
    """Caveat on a model other than the published one, whose scores its settings still change.

    Hydra merges the published settings into those that are given, so they may be given too.
    """
    if not isinstance(spec, RewardSpec) or spec.path == published.get("path"):
        return None
    kept = {
        key: published[key]
        for key in _SCORED
        if key in published and getattr(spec, key) == published[key]
    }
    settings = ", ".join(f"{key} {value!r}" for key, value in kept.items())
    other = f"for {published['path']}" if published.get("path") else "by the paper"
    return (
        f"{spec.name}: scored by {spec.path} with the settings published {other} ({settings})."
        if kept
        else None
    )


def spec_digest(spec: Spec) -> str:
    """Digest of everything that the scores depend on."""
    if isinstance(spec, RewardSpec):
        return reward_digest(spec)
    return digest({"metric": spec.files(), "key": spec.key})


def load_scorer(spec: Spec, device: torch.device) -> Scorer:
    """Load the scorer that `spec` names; raise UsageError if it cannot be loaded."""
    if isinstance(spec, RewardSpec):
        return ByReward(load_reward(spec, device))
    return ByMetric(spec)


@dataclass(frozen=True)
class ByReward:
    """Scores of a reward model, which may read another text than the prompt (`Item.reads`)."""

    model: RewardModel

    @property
    def note(self) -> str | None:
        """Caveats on what the model read, if any."""
        return " ".join(reading_notes(self.model)) or None

    def refusal(self, item: Item) -> str | None:
        """Reason for which the model's chat template refuses answers to an item, if any."""
        return self.model.refusal(item.reads.get(self.model.spec.name, item.dialogue))

    def score(self, items: Sequence[Item], answers: Sequence[str]) -> Array:
        name = self.model.spec.name
        return self.model.score([item.reads.get(name, item.dialogue) for item in items], answers)


class ByMetric:
    """Scores of an `evaluate` module against the references of the items."""

    note: str | None = None

    def __init__(self, spec: MetricSpec):
        import evaluate

        self.spec = spec
        try:
            opened_files.watch()
            self.module = evaluate.load(str(spec.file.parent), keep_in_memory=True)
        except (ImportError, OSError) as error:
            reason = first_line(error)
            raise UsageError(
                f"{spec.option}.metric: {spec.metric!r} cannot be loaded ({reason}); "
                "install its requirements: pip install 'paretosteer[rouge]'"
            ) from None
        note_code(self.module)
        inputs = inspect.signature(self.module._compute).parameters
        if "use_aggregator" not in inputs and not any(
            each.kind == each.VAR_KEYWORD for each in inputs.values()
        ):
            raise UsageError(
                f"{spec.option}.metric: {spec.metric!r} does not take use_aggregator=False; add "
                "that argument to its _compute, and return one value per prediction if it is False"
            )

    def refusal(self, item: Item) -> str | None:
        return None

    def score(self, items: Sequence[Item], answers: Sequence[str]) -> Array:
        # A prompt typed by a user has no reference: its score stays NaN.
        rows = [row for row, item in enumerate(items) if item.reference is not None]
        scores = np.full(len(items), np.nan)
        if rows:
            values = self.module.compute(
                predictions=[answers[row] for row in rows],
                references=[items[row].reference for row in rows],
                use_aggregator=False,
            )
            scores[rows] = values[self.spec.key]
        return scores
