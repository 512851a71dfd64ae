"""What every published task shares: prompts from rows of data, objectives that read them."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np

from paretosteer.benchmarks.papers.items import Item, Row, asked
from paretosteer.benchmarks.papers.scorers import Scorer, Spec, load_scorer, spec_digest, spec_of
from paretosteer.benchmarks.papers.task_data import Found, Part, data_digest, parts_of, read_items
from paretosteer.benchmarks.papers.task_options import TaskOptions
from paretosteer.errors import UsageError, did_you_mean
from paretosteer.interfaces import Array, Objective
from paretosteer.storage.digest import digest
from paretosteer.text.benchmark import TextBenchmark
from paretosteer.text.generate import Decoding
from paretosteer.text.model import LanguageModel
from paretosteer.text.samples import Prompt, TextSamples
from paretosteer.text.truncate import RESERVED, Fitter, Side

if TYPE_CHECKING:
    import pandas as pd

    from paretosteer.config.schema import Budget, CellConfig
    from paretosteer.config.setting import Setting


class Task(TextBenchmark):
    """A published task.

    A subclass sets its objectives, the splits of its data, and turns a row of them into an item.
    Normalisers that authors publish are part of raw rewards (`mean`, `std` of a reward). What
    methods and figures see is standardised by the start model, as everywhere; since both are
    affine, the published ones change the raw units shown and nothing else.
    """

    Options: ClassVar[type[TaskOptions]] = TaskOptions
    version = "1"

    described: ClassVar[Mapping[str, Objective]]  # every objective that there is, by name
    own_splits: ClassVar[Mapping[str, tuple[str, ...]]]  # of the data: which splits of ours
    side: ClassVar[Side]  # the end that a prompt loses which is too long
    stops: ClassVar[tuple[str, ...]] = ()  # an answer is scored up to the first of these
    published_start: ClassVar[str]  # for the error without a start model
    kappa: ClassVar[float] = 0.2
    learning_rate: ClassVar[float] = 1e-5

    def __init__(self, options: Any, setting: Setting):
        parts, content = self._data(options)
        limits = dict.fromkeys(("calibration", "validation", "test"), options.evaluation_prompts)
        limits["train"] = options.train_prompts
        self.found: Found = read_items(parts, self.parse, tuple(limits.items()), content)
        super().__init__(options, setting)
        specs = self._specs(options)
        self.scorers: list[Scorer] = [load_scorer(spec, setting.device) for spec in specs]

    # -- what a task defines ----------------------------------------------------------------

    @staticmethod
    @abstractmethod
    def parse(row: Row) -> Item | str:
        """The item of a row, or why there is none; ValueError where the row is wrong."""

    @staticmethod
    @abstractmethod
    def wrap(text: str) -> str:
        """The published template around the text of a prompt."""

    @staticmethod
    def text(item: Item) -> str:
        """The text of a prompt, which may lose one of its ends."""
        return item.dialogue[-1].text

    # -- the interface ----------------------------------------------------------------------

    @classmethod
    def training_defaults(cls, options: Any) -> Mapping[str, Any]:
        """Step size and KL coefficient as published; DPO on pairs at its usual temperature."""
        return {
            "learning_rate": cls.learning_rate,
            "kappa": cls.kappa,
            "beta_dpo": 0.1,
            "list_size": 2,
        }

    @classmethod
    def model_key(cls, config: CellConfig, options: Any) -> str:
        """Digest of the start model, the prompts and the reward models."""
        if config.model.name == "embedded":
            raise UsageError(
                f"model: {cls.name} has no start model of its own; say model=hf and "
                f"model.path={cls.published_start} (as published), or a local folder"
            )
        limits = [options.train_prompts, options.evaluation_prompts, options.max_prompt_tokens]
        return digest(
            {
                "start": super().model_key(config, options),
                "data": [cls._data(options)[1], limits],
                "rewards": [spec_digest(spec) for spec in cls._specs(options)],
            }
        )

    @classmethod
    def objective_versions(cls, options: Any) -> Mapping[str, str]:
        """Version of each chosen objective; the model's key has the reward models."""
        return {name: cls.described[name].version for name in cls._chosen(options)}

    @classmethod
    def embedded_key(cls, options: Any, budget: Budget) -> Mapping[str, Any]:
        """There is no embedded model: `model_key` has refused it."""
        raise NotImplementedError(cls.name)

    def make_embedded(self, folder: Path) -> None:
        """There is no embedded model: `model_key` has refused it."""
        raise NotImplementedError(self.name)

    def declared(self) -> Sequence[Objective]:
        """The chosen objectives."""
        return [self.described[name] for name in self._chosen(self.options)]

    def decodings(self) -> tuple[Decoding, Decoding | None]:
        """As published: how training samples, and how test prompts are answered."""
        o = self.options
        sampling = Decoding(o.max_new_tokens, o.min_new_tokens, o.temperature, o.top_k)
        greedy = Decoding(o.max_new_tokens, o.min_new_tokens, temperature=0.0)
        return sampling, greedy if o.greedy else None

    def split(self, name: str) -> Sequence[Prompt]:
        """The prompts of a split."""
        return self._splits[name]

    def score(self, samples: TextSamples) -> Array:
        """Raw scores (rows, m); NaN where an objective gives no finite number."""
        items = [self._items[prompt.id] for prompt in samples.prompts]
        answers = [self._scored_part(text) for text in samples.texts]
        return np.stack([scorer.score(items, answers) for scorer in self.scorers], axis=1)

    def recall(self, shown: pd.DataFrame) -> TextSamples:
        """Samples as `samples.jsonl` keeps them, ready to be scored."""
        known = {prompt.id: prompt for prompt in self.prompts("test")}
        prompts = [known[key] for key in shown["prompt_id"]]
        return TextSamples.of_texts(prompts, shown["sample"].tolist(), shown["text"].tolist())

    def typed(self, text: str) -> Prompt:
        """A prompt that a user typed, in the template; equal texts meet equal noise."""
        item = Item(asked(text))
        prompt = Prompt(f"typed-{item.id}", self._fitter.fit(self.text(item), self.wrap))
        self._items[prompt.id] = item  # to be scored with
        return prompt

    @property
    def notes(self) -> Sequence[str]:  # type: ignore[override]
        """What became of the data, and of texts that are too long."""
        return [str(self.found), *self._fitter.notes, *self._scorer_notes()]

    # -- parts ------------------------------------------------------------------------------

    @classmethod
    def _data(cls, options: Any) -> tuple[tuple[Part, ...], str]:
        parts = parts_of(options.data, cls.own_splits)
        return parts, data_digest(parts)

    @classmethod
    def _chosen(cls, options: Any) -> tuple[str, ...]:
        names: tuple[str, ...] = options.objectives
        if len(names) < 2 or len(set(names)) < len(names):
            raise UsageError(
                f"benchmark.objectives: found {list(names)}, expected two or more different ones"
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
                    f"benchmark.rewards.{name}: no objective of {cls.name}; "
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
        return {
            split: [
                Prompt(item.id, self._fitter.fit(self.text(item), self.wrap), item.dialogue)
                for item in items
            ]
            for split, items in self.found.items.items()
        }

    @cached_property
    def _items(self) -> dict[str, Item]:
        return {item.id: item for items in self.found.items.values() for item in items}

    def _scored_part(self, text: str) -> str:
        """An answer up to where it stops being one."""
        for stop in self.stops:
            text = text.partition(stop)[0]
        return text.strip()

    def _scorer_notes(self) -> Iterator[str]:
        yield from (scorer.note for scorer in self.scorers if scorer.note is not None)
