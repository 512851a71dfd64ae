"""What measures an objective: a reward model, or an `evaluate` module with a reference."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np

import paretosteer.metrics
from paretosteer.benchmarks.papers.items import Item
from paretosteer.errors import UsageError, did_you_mean, first_line
from paretosteer.interfaces import Array
from paretosteer.storage.digest import digest, file_digest
from paretosteer.text.rewards import RewardModel, RewardSpec, load_reward, reward_digest

if TYPE_CHECKING:
    import torch

HUB = Path(paretosteer.metrics.__file__).parent / "hub"


class Scorer(Protocol):
    """Gives answers a number, many at once."""

    @property
    def note(self) -> str | None:
        """What a reader of its figures must know, if anything."""
        ...

    def score(self, items: Sequence[Item], answers: Sequence[str]) -> Array:
        """One score per answer, (rows,), higher is better; NaN where it has none."""
        ...


@dataclass(frozen=True)
class MetricSpec:
    """`benchmark.rewards.NAME` with a `metric`: an `evaluate` module of ours, or a local folder.

    Its `compute(predictions, references, use_aggregator=False)` gives one number per answer under
    `key`.
    """

    name: str
    metric: str
    key: str

    @property
    def option(self) -> str:
        """The key that it was given under, for errors."""
        return f"benchmark.rewards.{self.name}"

    @property
    def file(self) -> Path:
        """The module's file; UsageError where there is none."""
        folder = Path(self.metric) if "/" in self.metric else HUB / self.metric
        file = folder / f"{folder.name}.py"
        if not file.is_file():
            raise UsageError(
                f"{self.option}.metric: there is no {str(file)!r}; give the name of one of our "
                "modules or a folder (an evaluate module cannot be fetched here)"
            )
        return file


Spec = RewardSpec | MetricSpec


def spec_of(name: str, given: Any, published: Mapping[str, Any]) -> Spec:
    """The setting of one objective: what is `given`, the rest as published.

    A text is the path of another model that reads the same.
    """
    settings = {**published, **({"path": given} if isinstance(given, str) else given or {})}
    if "metric" not in settings:
        return RewardSpec.of(settings, name)
    known = [field.name for field in fields(MetricSpec) if field.name != "name"]
    for key in settings:
        if key not in known:
            raise UsageError(
                f"benchmark.rewards.{name}.{key} is not a setting of a metric; "
                f"{did_you_mean(key, known)}"
            )
    return MetricSpec(name, **settings)


def spec_digest(spec: Spec) -> str:
    """Digest of all that the scores depend on."""
    if isinstance(spec, RewardSpec):
        return reward_digest(spec)
    return digest({"metric": file_digest(spec.file), "key": spec.key})


def load_scorer(spec: Spec, device: torch.device) -> Scorer:
    """What `spec` names, ready to score; UsageError where it cannot be loaded."""
    if isinstance(spec, RewardSpec):
        return ByReward(load_reward(spec, device))
    return ByMetric(spec)


@dataclass(frozen=True)
class ByReward:
    """Scores of a reward model, which reads what an item has for its objective."""

    model: RewardModel

    @property
    def note(self) -> str | None:
        """How many texts the model could not read whole."""
        cut, name = self.model.truncated, self.model.spec.name
        longest = self.model.max_length
        told = f"{name}: {cut} texts were longer than the {longest} tokens of its model and cut."
        return told if cut else None

    def score(self, items: Sequence[Item], answers: Sequence[str]) -> Array:
        """One score per answer, (rows,)."""
        name = self.model.spec.name
        return self.model.score([item.reads.get(name, item.dialogue) for item in items], answers)


class ByMetric:
    """Scores of an `evaluate` module against the items' references."""

    note: str | None = None

    def __init__(self, spec: MetricSpec):
        import evaluate

        self.spec = spec
        try:
            self.module = evaluate.load(str(spec.file.parent), keep_in_memory=True)
        except (ImportError, OSError) as error:
            reason = first_line(error)
            raise UsageError(
                f"{spec.option}.metric: {spec.metric!r} cannot be loaded ({reason}); "
                "install what it needs: pip install 'paretosteer[rouge]'"
            ) from None

    def score(self, items: Sequence[Item], answers: Sequence[str]) -> Array:
        """One score per answer, (rows,); NaN where an item has no reference (a typed prompt)."""
        rows = [row for row, item in enumerate(items) if item.reference is not None]
        scores = np.full(len(items), np.nan)
        if rows:
            found = self.module.compute(
                predictions=[answers[row] for row in rows],
                references=[items[row].reference for row in rows],
                use_aggregator=False,
            )
            scores[rows] = found[self.spec.key]
        return scores
