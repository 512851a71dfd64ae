"""Base class of the published tasks: prompts from a data set, objectives from reward models."""

from __future__ import annotations

from abc import abstractmethod
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np

from paretosteer.benchmarks.papers.scorers import (
    MetricSpec,
    Scorer,
    Spec,
    kept_settings,
    load_scorer,
    spec_digest,
    spec_of,
)
from paretosteer.benchmarks.papers.task_data import Found, Part, data_digest, parts_of, read_items
from paretosteer.benchmarks.papers.task_items import Item, Row, asked
from paretosteer.benchmarks.papers.task_options import TaskOptions
from paretosteer.errors import UsageError, did_you_mean
from paretosteer.interfaces import Array
from paretosteer.objective import Objective
from paretosteer.storage.digest import digest
from paretosteer.text.benchmark import TextBenchmark
from paretosteer.text.chat_template import reasons
from paretosteer.text.generate import Decoding
from paretosteer.text.model import LanguageModel
from paretosteer.text.rewards import RewardSpec, check_distinct_rewards
from paretosteer.text.samples import Prompt, TextSamples
from paretosteer.text.truncate import RESERVED, Fitter, Side

if TYPE_CHECKING:
    import pandas as pd

    from paretosteer.config.schema import Budget, CellConfig, Model
    from paretosteer.config.setting import Setting


class Task(TextBenchmark):
    """Base class of a published task.

    A subclass declares its objectives and the splits of its data, and parses a row into an item.

    A normaliser published with a reward model (`mean` and `std` of a reward) is part of the raw
    reward. Methods and metrics see rewards standardised under the start model, as in every
    benchmark. Both maps are affine, so the published one only changes the raw units shown.
    """

    Options: ClassVar[type[TaskOptions]] = TaskOptions
    version = "1"

    described: ClassVar[Mapping[str, Objective]]  # all objectives, by name
    columns: ClassVar[tuple[str, ...]]  # of the data that `parse` reads
    own_splits: ClassVar[Mapping[str, tuple[str, ...]]]  # split of the data: splits of ours
    side: ClassVar[Side]  # end at which a prompt that is too long is cut
    stops: ClassVar[tuple[str, ...]] = ()  # an answer is scored up to the first of these
    published_start: ClassVar[str]  # start model of the paper, named in an error
    kappa: ClassVar[float] = 0.2
    learning_rate: ClassVar[float] = 1e-5

    def __init__(self, options: Any, setting: Setting):
        parts, content = self._data(options)
        limits = dict.fromkeys(("calibration", "validation", "test"), options.evaluation_prompts)
        limits["train"] = options.train_prompts
        self.found: Found = read_items(
            parts, self.parse, self.columns, tuple(limits.items()), content
        )
        self.refused: Counter[str] = Counter()  # by reason, prompts that a scorer refuses
        super().__init__(options, setting)

    # -- what a task defines ----------------------------------------------------------------

    @staticmethod
    @abstractmethod
    def parse(row: Row) -> Item | str:
        """Item of a row, or a key of `REASONS` to leave it out; ValueError if it is malformed."""

    @staticmethod
    @abstractmethod
    def wrap(text: str) -> str:
        """Text of a prompt in the published template."""

    @staticmethod
    def text(item: Item) -> str:
        """Text of a prompt, which is cut if it is too long."""
        return item.dialogue[-1].text

    # -- the interface ----------------------------------------------------------------------

    @classmethod
    def training_defaults(cls, options: Any) -> Mapping[str, Any]:
        """Learning rate and KL coefficient as published; DPO on pairs with beta 0.1."""
        return {
            "learning_rate": cls.learning_rate,
            "kappa": cls.kappa,
            "beta_dpo": 0.1,
            "list_size": 2,
        }

    @classmethod
    def model_defaults(cls, options: Any, model: Model) -> Mapping[str, Any]:
        """As published, for any start model."""
        return cls.training_defaults(options)

    @classmethod
    def model_key(cls, config: CellConfig, options: Any) -> str:
        """Digest of the start model, the prompts and the reward models."""
        # A published task trains no start model of its own.
        if config.model.name == "embedded":
            raise UsageError(
                f"model: {cls.name} has no embedded start model; set model=hf and "
                f"model.path={cls.published_start} (as published), or use a local folder"
            )
        specs = dict(zip(cls._chosen(options), cls._specs(options), strict=True))
        check_distinct_rewards({n: s for n, s in specs.items() if isinstance(s, RewardSpec)})
        limits = [options.train_prompts, options.evaluation_prompts, options.max_prompt_tokens]
        return digest(
            {
                "start": super().model_key(config, options),
                "data": [cls._data(options)[1], limits],
                "rewards": [spec_digest(spec) for spec in specs.values()],
            }
        )

    @classmethod
    def objective_versions(cls, options: Any) -> Mapping[str, str]:
        """Version of each chosen objective; `model_key` covers the reward models."""
        return {name: cls.described[name].version for name in cls._chosen(options)}

    @classmethod
    def embedded_key(cls, options: Any, budget: Budget) -> Mapping[str, Any]:
        raise NotImplementedError(cls.name)  # unreachable: `model_key` refuses model=embedded

    def make_embedded(self, folder: Path) -> None:
        raise NotImplementedError(self.name)  # unreachable: `model_key` refuses model=embedded

    def declared(self) -> Sequence[Objective]:
        return [self.described[name] for name in self._chosen(self.options)]

    def decodings(self) -> tuple[Decoding, Decoding | None]:
        """Decoding of training samples, and of test answers if it differs."""
        o = self.options
        sampling = Decoding(o.max_new_tokens, o.min_new_tokens, o.temperature, o.top_k)
        greedy = Decoding(o.max_new_tokens, o.min_new_tokens, temperature=0.0)
        return sampling, greedy if o.greedy else None

    def split(self, name: str) -> Sequence[Prompt]:
        return self._splits[name]

    def score(self, samples: TextSamples) -> Array:
        """Raw scores, (rows, m); NaN where an objective gives no finite number."""
        items = [self._items[prompt.id] for prompt in samples.prompts]
        answers = [self._scored_part(text) for text in samples.texts]
        return np.stack([scorer.score(items, answers) for scorer in self.scorers], axis=1)

    def recall(self, shown: pd.DataFrame) -> TextSamples:
        """Samples restored from `samples.jsonl`, ready to be scored."""
        by_id = {prompt.id: prompt for prompt in self.prompts("test")}
        prompts = [by_id[key] for key in shown["prompt_id"]]
        return TextSamples.of_texts(prompts, shown["sample"].tolist(), shown["text"].tolist())

    def typed(self, text: str) -> Prompt:
        """Prompt typed by a user, in the task's template."""
        # The id seeds the sampling noise, so equal texts get equal noise.
        item = Item(asked(text))
        prompt = Prompt(f"typed-{item.id}", self._fitter.fit(self.text(item), self.wrap))
        self._items[prompt.id] = item  # `score` looks items up here
        return prompt

    @property
    def notes(self) -> Sequence[str]:  # type: ignore[override]
        """Rows left out of the data, and texts that were cut."""
        return [
            *super().notes,
            str(self.found),
            *self._refused_notes,
            *self._fitter.notes,
            *self._kept_settings(),
            *self._scorer_notes(),
        ]

    @property
    def scores_need_labels(self) -> bool:  # type: ignore[override]
        """True with a metric, which compares an answer with the reference of its prompt."""
        return any(isinstance(spec, MetricSpec) for spec in self._specs(self.options))

    @property
    def scoring_notes(self) -> Sequence[str]:
        """Texts that a reward model cut or could not render."""
        return list(self._scorer_notes())

    @cached_property
    def scorers(self) -> list[Scorer]:
        """Scorer of every objective, loaded before the prompts are made."""
        return [load_scorer(spec, self.setting.device) for spec in self._specs(self.options)]

    # -- helpers ----------------------------------------------------------------------------

    @classmethod
    def _data(cls, options: Any) -> tuple[tuple[Part, ...], str]:
        parts = parts_of(options.data, cls.own_splits, cls.columns)
        return parts, data_digest(parts)

    @classmethod
    def _chosen(cls, options: Any) -> tuple[str, ...]:
        names: tuple[str, ...] = options.objectives
        if len(names) < 2 or len(set(names)) < len(names):
            raise UsageError(
                f"benchmark.objectives: found {list(names)}; name two or more distinct objectives"
            )
        for name in names:
            if name not in cls.described:
                raise UsageError(
                    f"benchmark.objectives: {name!r} is unknown; "
                    f"{did_you_mean(name, cls.described)}"
                )
        return names

    @classmethod
    def _specs(cls, options: Any) -> list[Spec]:
        published = cls.Options().rewards
        for name in options.rewards:
            if name not in published:
                raise UsageError(
                    f"benchmark.rewards.{name}: {cls.name} has no objective of this name; "
                    f"{did_you_mean(name, published)}"
                )
        return [
            spec_of(name, options.rewards.get(name), published[name])
            for name in cls._chosen(options)
        ]

    def _load(self) -> LanguageModel:
        return replace(super()._load(), longest=self.options.max_prompt_tokens + RESERVED)

    @cached_property
    def _fitter(self) -> Fitter:
        return Fitter.of(self.model, self.options.max_new_tokens, self.side)

    @cached_property
    def _splits(self) -> dict[str, list[Prompt]]:
        splits = {
            split: [
                Prompt(item.id, self._fitter.fit(self.text(item), self.wrap), item.dialogue)
                for item in items
                if self._scorable(item)
            ]
            for split, items in self.found.items.items()
        }
        for split, prompts in splits.items():
            if not prompts:
                raise UsageError(
                    f"benchmark.rewards: a chat template refuses all prompts of split {split}: "
                    f"{reasons(self.refused)}; set the form of the reward model"
                )
        for note in self._refused_notes:
            self.setting.say(note)
        return splits

    def _scorable(self, item: Item) -> bool:
        found = next((reason for s in self.scorers if (reason := s.refusal(item))), None)
        self.refused.update([found] if found else [])
        return found is None

    @property
    def _refused_notes(self) -> list[str]:
        if not self.refused:
            return []
        return [
            f"{self.refused.total()} prompts are left out, since the chat template of a reward "
            f"model refuses them: {reasons(self.refused)}."
        ]

    @cached_property
    def _items(self) -> dict[str, Item]:
        return {item.id: item for items in self.found.items.values() for item in items}

    def _scored_part(self, text: str) -> str:
        """Answer up to its first stop string, for example the next speaker's name."""
        for stop in self.stops:
            text = text.partition(stop)[0]
        return text.strip()

    def _kept_settings(self) -> Iterator[str]:
        published = self.Options().rewards
        for name, spec in zip(self._chosen(self.options), self._specs(self.options), strict=True):
            if note := kept_settings(spec, published[name]):
                yield note

    def _scorer_notes(self) -> Iterator[str]:
        yield from (scorer.note for scorer in self.scorers if scorer.note is not None)
