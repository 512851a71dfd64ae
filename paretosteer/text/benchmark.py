"""Base class of the text benchmarks: a language model, prompts in splits, scored answers."""

from __future__ import annotations

import json
from abc import abstractmethod
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, replace
from functools import cached_property
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np
import torch

from paretosteer.benchmark import Benchmark
from paretosteer.config.options import content
from paretosteer.config.setting import SMALL
from paretosteer.errors import UsageError
from paretosteer.interfaces import Array, Lists
from paretosteer.metrics import MetricError, Normaliser
from paretosteer.objective import Objective
from paretosteer.plugins.in_use import scoring_code
from paretosteer.policies.conditioning import Conditioning, Unconditioned
from paretosteer.policies.control import Control
from paretosteer.policies.sampling_engine import SamplingEngine
from paretosteer.runtime.accelerate_processes import are_several
from paretosteer.runtime.cpu_bfloat16 import bfloat16_speedup, native_bfloat16
from paretosteer.runtime.progress import preparation
from paretosteer.storage.atomic import write_json
from paretosteer.storage.cache import cached
from paretosteer.storage.digest import digest
from paretosteer.text.generate import Decoding
from paretosteer.text.generation_settings import unused_settings
from paretosteer.text.guide import OPTION as GUIDE
from paretosteer.text.guide import check_room, load_guide
from paretosteer.text.guided_policy import GuidedPolicy
from paretosteer.text.load_check import check_soft_prompts, checked
from paretosteer.text.model import LanguageModel, load_model
from paretosteer.text.model_notes import model_notes
from paretosteer.text.model_source import model_digest, model_folder, model_width
from paretosteer.text.policy import TextPolicy
from paretosteer.text.sample_pool import Pool
from paretosteer.text.sampler import NativeSampler, Sampler
from paretosteer.text.samples import Prompt, TextSamples, concatenate
from paretosteer.text.special_tokens import spelled_note
from paretosteer.text.truncate import too_long
from paretosteer.training.rollout import roll_out
from paretosteer.training.scoring import Scorer

if TYPE_CHECKING:
    import pandas as pd

    from paretosteer.config.schema import Budget, CellConfig, Model
    from paretosteer.config.setting import Setting

FITTED_WIDTH = 256  # of the hidden states, up to which the benchmark's learning rate is used
SPLITS = ("train", "calibration", "validation", "test")
_SCORING = 2  # raise it when cached scores would be others: of units and pools
SHARED_SEED = 0  # of artefacts shared by all cells of a benchmark, independent of their own seeds


class TextBenchmark(Benchmark):
    """Base class of benchmarks in which a language model continues or answers prompts.

    A subclass provides prompts, objectives with their scores (see `ScoredByFunctions` and
    `ScoredByRewards`) and an embedded start model. Its options include at least `max_new_tokens`,
    `min_new_tokens` and `temperature`. To use the offline feedback defined here, which is made
    from start-model samples, they also include `pool_prompts` and `label_temperature`.
    """

    feedback: ClassVar[Mapping[str, str]] = {
        "reward": "the objectives score what the policy writes",
        "preference": "the objectives compare start-model samples (Bradley-Terry probabilities)",
        "imitation": "start-model samples from the top quantile",
    }

    def __init__(self, options: Any, setting: Setting):
        super().__init__(options, setting)
        self.embedded_folder: Path | None = None
        self._guides: dict[str, LanguageModel] = {}
        self.sampler: Callable[[TextPolicy], Sampler] = NativeSampler
        self.objectives = tuple(self.declared())
        self.decoding, self.answering = self.decodings()
        self.model = self._load()
        network, tokenizer = self.model.network, self.model.tokenizer
        folder = self._model_folder()
        self._model_notes = [
            *unused_settings(network, folder),
            *model_notes("The start model", network, tokenizer, folder),
        ]
        self._check_prompts()

    # -- what a benchmark defines -----------------------------------------------------------

    @abstractmethod
    def declared(self) -> Sequence[Objective]:
        """Objectives, in the order of every weight vector."""

    @abstractmethod
    def score(self, samples: TextSamples) -> Array:
        """Raw scores, (rows, m); NaN where an objective gives no finite number."""

    @classmethod
    @abstractmethod
    def embedded_key(cls, options: Any, budget: Budget) -> Mapping[str, Any]:
        """Everything that the embedded start model depends on, to be digested."""

    @abstractmethod
    def make_embedded(self, folder: Path) -> None:
        """Train the embedded start model into a Hugging Face folder."""

    def check_embedded(self, folder: Path) -> None:
        """Raise UsageError if the embedded start model in `folder` is too poor to use."""

    def decodings(self) -> tuple[Decoding, Decoding | None]:
        """Decoding of training samples, and of test answers if it differs."""
        o = self.options
        return Decoding(o.max_new_tokens, o.min_new_tokens, o.temperature), None

    # -- the interface ----------------------------------------------------------------------

    @classmethod
    def model_defaults(cls, options: Any, model: Model) -> Mapping[str, Any]:
        """Training defaults whose learning rate falls with the width of a large start model.

        They were made for small models. A step of Adam changes every weight of a bank by about the
        learning rate, and so a layer's output in proportion to its width (Yang et al., arXiv
        2203.03466).
        """
        own = cls.training_defaults(options)
        if model.name == "embedded":
            return own
        assert model.path is not None
        width = model_width(model.path, revision=model.revision) or 0
        if width <= FITTED_WIDTH:
            return own
        return {**own, "learning_rate": own["learning_rate"] * FITTED_WIDTH / width}

    @classmethod
    def model_key(cls, config: CellConfig, options: Any) -> str:
        """Digest of the configured start model, computed without loading it."""
        return cls.start_digest(config.model, config.budget, options)

    @classmethod
    def start_digest(cls, model: Model, budget: Budget, options: Any) -> str:
        """Digest of the start model and its tokenizer."""
        if model.name == "hf":
            assert model.path is not None
            return digest(
                {"hf": model_digest(model.path, revision=model.revision), "pad": model.pad_token}
            )
        return digest({"embedded": cls._trained_from(options, budget)})

    @classmethod
    def _trained_from(cls, options: Any, budget: Budget) -> dict[str, Any]:
        """Everything that the embedded start model depends on."""
        return {**cls.embedded_key(options, budget), **scoring_code(cls.name)}

    @property
    def notes(self) -> Sequence[str]:  # type: ignore[override]
        """Caveats of its figures, one sentence each."""
        return [*self._model_notes, *self._spelled_note]

    @classmethod
    def check_engine(cls, config: CellConfig) -> None:
        """Raise UsageError if the configured engine is not installed."""
        if config.engine.name == "vllm" and find_spec("vllm") is None:
            raise UsageError(
                "engine=vllm: vllm is not installed; install it with pip install "
                "'paretosteer[vllm]', or set engine=native"
            )

    def engine(self, folder: Path) -> SamplingEngine:
        """Engine of the setting; with rollouts it also serves policies built from now on."""
        setting = self.setting
        if setting.engine.name == "native":
            return super().engine(folder)
        from paretosteer.text.engines.vllm_engine import VLLM

        if setting.engine.of_training and are_several():
            raise UsageError(
                "engine.rollouts: several processes that train together write with our own loop; "
                "set engine.rollouts=false"
            )
        splits = ("train", "validation", "test") if setting.engine.of_training else ("test",)
        prompts = [prompt for split in splits for prompt in self.prompts(split)]
        engine = VLLM(self.model, self._model_folder(), setting, prompts, folder)
        if setting.engine.of_training:
            self.sampler = engine.sampler
        return engine

    def _model_folder(self) -> str:
        """Folder from which the start model was loaded."""
        if self.embedded_folder is not None:
            return str(self.embedded_folder)
        model = self.setting.model
        assert model.path is not None
        return model_folder(model.path, revision=model.revision)

    def start_policy(self, conditioning: Conditioning, seed: int) -> TextPolicy:
        """Untrained policy: the start model with the given conditioning."""
        own = (self.decoding, seed, self.answering, self.sampler)
        policy = TextPolicy(self.model, conditioning, *own)
        if policy.reader is not None or policy.prefix is not None:
            _ = self._soft_prompts_checked
        return policy

    def guided_policy(self, guide: str, conditioning: Conditioning, seed: int) -> TextPolicy:
        """Untrained policy: the start model beside a guide with the given conditioning."""
        own = (self.decoding, seed, self.answering, self.sampler)
        return GuidedPolicy(self.model, self.guide(guide), conditioning, *own)

    def guide(self, path: str) -> LanguageModel:
        """Second language model, from a folder or a hub name; loaded and checked once.

        UsageError if it does not fit the start model or the prompts.
        """
        if path not in self._guides:
            guide = load_guide(path, self.model, self.setting.dtype)
            prompts = (prompt for split in SPLITS for prompt in self.prompts(split))
            check_room(guide, prompts, self.decoding.max_new_tokens)
            what, folder = f"The reward model {guide.name!r}", model_folder(path, GUIDE)
            self._model_notes += model_notes(what, guide.network, guide.tokenizer, folder)
            self._guides[path] = guide
        return self._guides[path]

    def typed(self, text: str) -> Prompt:
        """Prompt typed by a user; equal texts get equal sampling noise."""
        return Prompt(f"typed-{digest(text)[:16]}", text)

    def describe(self, samples: TextSamples) -> list[dict[str, str]]:
        """Prompt and answer of each row, for `samples.jsonl`."""
        return [
            {"prompt": prompt.text, "text": text}
            for prompt, text in zip(samples.prompts, samples.texts, strict=True)
        ]

    def recall(self, shown: pd.DataFrame) -> TextSamples:
        """Samples restored from `samples.jsonl`, ready to be scored."""
        prompts = [Prompt(*row) for row in zip(shown["prompt_id"], shown["prompt"], strict=True)]
        return TextSamples.of_texts(prompts, shown["sample"].tolist(), shown["text"].tolist())

    @property
    def model_commit(self) -> str | None:
        """Commit of a start model from the hub."""
        return self.model.commit

    @property
    def model_name(self) -> str:
        """Name of the start model in tables."""
        return "embedded" if self.setting.model.name == "embedded" else self.model.name

    @cached_property
    def normaliser(self) -> Normaliser:
        """Moments of the scores of the start model's calibration samples, shared by all cells."""
        return self.measured("normaliser", self._scored_rows)

    def _scored_rows(self, samples: TextSamples) -> Array:
        """Raw scores (rows, m) of the samples that all objectives score."""
        scorer = Scorer(self, purpose="calibration")
        raw = scorer.raw(samples)
        scorer.book(raw)
        return raw[np.isfinite(raw).all(axis=1)]

    def measured(self, kind: str, score: Callable[[TextSamples], Array]) -> Normaliser:
        """Moments of `score` (rows, m) over the start model's calibration samples, cached."""
        prompts = self.prompts("calibration")
        count = self.setting.budget.calibration_samples

        def make(folder: Path) -> None:
            texts = len(prompts) * count
            self.setting.say(f"measuring the start model on {texts} calibration texts (once)")
            raw = score(self._start_samples("start model", prompts, count))
            try:
                fitted = Normaliser.fit(raw, [o.name for o in self.objectives])
            except MetricError as error:
                raise UsageError(f"benchmark.objectives: {error}") from None
            write_json(folder / "normaliser.json", {"mean": fitted.mean, "std": fitted.std})

        key = self._key(prompts, count)
        stored = json.loads((cached(kind, key, make) / "normaliser.json").read_text())
        return Normaliser(tuple(stored["mean"]), tuple(stored["std"]))

    def lists(self, rng: np.random.Generator, weights: Array, size: int | None) -> Lists:
        """Lists of candidates of a training prompt, from the pool of start-model samples.

        The labels of an objective are softmax(z / label_temperature) over a list. For two
        candidates these are its Bradley-Terry probabilities.
        """
        assert size is not None  # `training_defaults` sets it
        return self.pool.lists(rng, len(weights), size, self.options.label_temperature)

    def demonstrations(
        self, rng: np.random.Generator, weights: Array, quantile: float
    ) -> TextSamples:
        """One sample of the pool's top quantile for each row of weights (rows, m)."""
        return self.pool.demonstrations(rng, weights, quantile)

    @cached_property
    def pool(self) -> Pool:
        """Start-model samples of training prompts with their scores, shared by all cells."""
        prompts = self.prompts("train")[: self.options.pool_prompts]
        count = self.setting.budget.pool_samples

        def make(folder: Path) -> None:
            self.setting.say(f"sampling a pool of {len(prompts) * count} start-model texts")
            samples = self._start_samples("pool", prompts, count)
            raw = Scorer(self, purpose="pool").score(samples)
            Pool(samples, self.normaliser.apply(raw), count).write(folder)

        key = self._key(prompts, count) | {"normaliser": asdict(self.normaliser)}
        folder = cached("pool", key, make)
        return Pool.read(folder, prompts, self.setting.device)

    # -- helpers ----------------------------------------------------------------------------

    @cached_property
    def _spelled_note(self) -> list[str]:
        prompts = {prompt.id: prompt for split in SPLITS for prompt in self.prompts(split)}
        said = [
            "\n".join(turn.text for turn in prompt.dialogue)
            for prompt in prompts.values()
            if prompt.dialogue
        ]
        return spelled_note("prompts", said, self.model.tokenizer)

    def _load(self) -> LanguageModel:
        setting = self.setting
        path, pad = setting.model.path, setting.model.pad_token
        if setting.model.name == "embedded":
            setting.set_threads(0)
            key = self._trained_from(self.options, setting.budget)
            folder = cached("model", {"benchmark": self.name, **key}, self.make_embedded)
            # Checked here, so that a poor model is not trained again for every cell.
            if setting.budget.checks:
                self.check_embedded(folder)
            self.embedded_folder, path = folder, str(folder)
        assert path is not None
        model = load_model(path, setting.device, setting.dtype, pad, setting.model.revision)
        model = replace(model, recompute=setting.gradient_checkpointing)
        size = sum(p.numel() for p in model.network.parameters())
        setting.set_threads(size)
        if size >= SMALL:
            self._say_bfloat16()
        return checked(model) if setting.model.name == "hf" else model

    def _say_bfloat16(self) -> None:
        """Say that the processor computes bfloat16 natively, where a run uses float32."""
        setting, name = self.setting, native_bfloat16()
        if setting.device.type == "cpu" and setting.dtype == torch.float32 and name:
            setting.say(
                f"the processor computes bfloat16 natively ({name}), {bfloat16_speedup():.1f} "
                "times as fast as float32 in a short test; dtype=bfloat16 uses it"
            )

    @cached_property
    def _soft_prompts_checked(self) -> bool:
        """True; raises UsageError if the start model does not run with soft prompts."""
        if self.setting.model.name == "hf":
            check_soft_prompts(self.model)
        return True

    def _check_prompts(self) -> None:
        """Raise UsageError if a prompt does not fit the context, before anything is trained."""
        decoding = self.decoding
        if not 0 <= decoding.min_new_tokens <= decoding.max_new_tokens or decoding.temperature <= 0:
            raise UsageError(
                f"benchmark.min_new_tokens: found {decoding.min_new_tokens} with max_new_tokens "
                f"{decoding.max_new_tokens} and temperature {decoding.temperature}; set "
                "0 <= min_new_tokens <= max_new_tokens and a temperature above 0"
            )
        room = self.model.room(decoding.max_new_tokens)
        embedded = self.model.embeds_all
        for split in SPLITS:
            for prompt in self.prompts(split):
                if not embedded:
                    self.model.check_embedded(self.model.tokenizer(prompt.text).input_ids)
                if n := too_long(self.model.tokenizer, prompt.text, room):
                    raise UsageError(
                        f"benchmark.max_new_tokens: prompt {prompt.id!r} has {n} tokens, but "
                        f"{decoding.max_new_tokens} new tokens leave room for only {room}; "
                        "lower it, or shorten the prompt"
                    )

    def _start_samples(self, stage: str, prompts: Sequence[Prompt], count: int) -> TextSamples:
        """`count` samples of the start model per prompt, with those of a prompt adjacent.

        Progress shows them under the name of the `stage`.
        """
        # Always sampled, even if test answers are greedy: a prompt has only one greedy answer.
        policy = TextPolicy(self.model, Unconditioned(), self.decoding, SHARED_SEED)
        rolls: Any = roll_out(
            policy,
            prompts,
            Control.start(1),
            seed=SHARED_SEED,
            samples=count,
            batch_rows=self.setting.eval_rows,
        )
        show = preparation(stage, len(prompts) * count)
        parts: list[TextSamples] = []
        for _, _, samples in rolls:
            parts.append(samples)
            show(sum(map(len, parts)), {})
        return concatenate(parts, policy.tokenizer.pad_token_id)

    def _key(self, prompts: Sequence[Prompt], samples: int) -> dict[str, Any]:
        """Everything that start-model samples of these prompts and their scores depend on.

        All options are part of it, since a benchmark may use any of them in its scores.
        """
        setting = self.setting
        return {
            "benchmark": [self.name, self.version, content(self.options)],
            "objectives": [[o.name, o.version] for o in self.objectives],
            "code": scoring_code(self.name, [o.name for o in self.objectives]),
            "model": setting.model_key,
            "dtype": str(setting.dtype),
            "decoding": self.decoding.key(),
            "prompts": digest([asdict(prompt) for prompt in prompts]),
            "samples": samples,
            "score_seconds": setting.score_seconds,
            "scoring": _SCORING,
        }
