"""Reward models of the objectives, given or trained on the pairs, with their accuracy."""

from __future__ import annotations

import json
import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from paretosteer.benchmarks.preferences.pair_data import HELD_OUT, Data
from paretosteer.benchmarks.preferences.prompts import JUDGED
from paretosteer.errors import UsageError, did_you_mean
from paretosteer.runtime.progress import PeriodicLines
from paretosteer.storage.atomic import write_json
from paretosteer.storage.cache import cached, unfinished
from paretosteer.text.model_source import model_digest
from paretosteer.text.pairs import Pair
from paretosteer.text.rewards import (
    RewardFacts,
    RewardModel,
    RewardSpec,
    RewardTraining,
    check_distinct,
    check_distinct_rewards,
    load_reward,
    load_tokenizer,
    measure_reward,
    reading_notes,
    resolve_form,
    reward_digest,
    train_reward,
)
from paretosteer.text.rewards.backbone import FEATURES_VERSION, Backbone
from paretosteer.text.rewards.backbone_check import check_reads
from paretosteer.text.rewards.backbone_lora import LORA_VERSION, train_lora
from paretosteer.text.rewards.backbone_lora import TRAINING as LORA_TRAINING
from paretosteer.text.rewards.backbone_reward import (
    HEAD_VERSION,
    BackboneReward,
    PairFeatures,
    SharedFeatures,
    train_head,
)
from paretosteer.text.rewards.bradley_terry import TRAINER_VERSION
from paretosteer.training.snapshots import Journal

if TYPE_CHECKING:
    from paretosteer.config.setting import Setting

FACTS = "facts.json"
CHUNK = 128  # pairs whose features are cached together, so that little is lost with a killed run
FEW_HELD_OUT = 400  # pairs; below, an accuracy is uncertain by more than 4 percentage points
Facts = Mapping[str, Any]  # `source`, `held_out_pairs`, `accuracy`, `baseline_accuracy`, …


@dataclass(frozen=True)
class Plan:
    """Specification of the reward models, before any is loaded or trained.

    `given` holds those named by the configuration. The others are trained on the pairs: as linear
    heads on a backbone, of which `backbone` holds the digest and the precision, and `rank` the rank
    of its LoRA (0: none); else starting from the language model `start` (a folder or a hub name);
    without either, as a bag of tokens.
    """

    data: Data
    given: Mapping[str, RewardSpec]
    start: str | None
    backbone: tuple[str, str] | None = None
    rank: int = 0

    @classmethod
    def of(
        cls,
        data: Data,
        rewards: Mapping[str, Any],
        start: str | None,
        backbone: tuple[str, str] | None = None,
        rank: int = 0,
    ) -> Plan:
        """Parse the option `benchmark.rewards`; raise UsageError if it is invalid."""
        if rank and not backbone:
            raise UsageError(
                f"benchmark.reward_backbone_rank: found {rank}, but there is no backbone for a "
                "LoRA; set benchmark.reward_backbone, or leave the rank out"
            )
        if start and backbone:
            raise UsageError(
                "benchmark.reward_backbone: not used with benchmark.reward_start, which trains "
                "every layer; leave one of them out"
            )
        for name in rewards:
            if name not in data.names:
                raise UsageError(
                    f"benchmark.rewards.{name}: no objective has this name; "
                    f"{did_you_mean(name, data.names)}"
                )
        given = {name: RewardSpec.of(v, name) for name, v in rewards.items() if v is not None}
        trained = data.judge or not given.keys() >= set(data.names)
        if (start or backbone) and not trained:
            option = "reward_start" if start else "reward_backbone"
            raise UsageError(
                f"benchmark.{option}: not used, since benchmark.rewards names a reward model for "
                "every objective; set it to null, or set benchmark.judge=true"
            )
        return cls(data, given, start, backbone, rank)

    def check_distinct(self) -> None:
        """Raise UsageError if two objectives have the same reward model, or the same pairs for it.

        Pairs may be the same for objectives whose reward models are given.
        """
        check_distinct_rewards(self.given)
        trained = {n: key for n, key in self.data.digests.items() if n not in self.given}
        check_distinct("benchmark.pairs", trained)

    @cached_property
    def chats(self) -> list[RewardModel]:
        """Tokenizers, without networks, of the given models that read a chat template."""
        loaded = {name: load_tokenizer(spec) for name, spec in self.given.items()}
        forms = {name: resolve_form(self.given[name], tok) for name, tok in loaded.items()}
        return [
            RewardModel(replace(self.given[name], form="chat"), None, loaded[name])
            for name, form in forms.items()
            if form == "chat"
        ]

    @property
    def parts(self) -> tuple[str, ...]:
        """Parts of the training pairs for which a reward model is trained."""
        return ("train", JUDGED) if self.data.judge else ("train",)

    @property
    def keys(self) -> dict[str, Any]:
        """Everything that the reward models and their accuracies depend on."""
        return {part: [self.key(name, part) for name in self.data.names] for part in self.parts}

    def key(self, objective: str, part: str) -> dict[str, Any]:
        """Everything that one reward model and its accuracy depend on."""
        pairs = {"pairs": self.data.digests[objective], "judge": self.data.judge, "part": part}
        if self.spec(objective, part) is not None:
            return {"given": reward_digest(self.given[objective]), **pairs}
        if self.backbone:
            head = {"head": HEAD_VERSION, **self.features_key(objective), **pairs}
            return {**head, "lora": self._lora_key} if self.rank else head
        start = {"start": model_digest(self.start) if self.start else None}
        return {"version": TRAINER_VERSION, "training": asdict(RewardTraining()), **start, **pairs}

    @property
    def _lora_key(self) -> dict[str, Any]:
        versions = [LORA_VERSION, TRAINER_VERSION]
        return {"rank": self.rank, "versions": versions, "training": asdict(LORA_TRAINING)}

    def features_key(self, objective: str) -> dict[str, Any]:
        """Everything that the features of an objective's pairs depend on."""
        pairs = self.data.digests[objective]
        return {"features": FEATURES_VERSION, "backbone": self.backbone, "pairs": pairs}

    def spec(self, objective: str, part: str) -> RewardSpec | None:
        """Reward model named by the configuration, if any; judges are always trained."""
        return self.given.get(objective) if part == "train" else None


@dataclass(frozen=True)
class Rewards:
    """Reward models by objective, with their accuracies; `judges` may be empty."""

    models: Mapping[str, RewardModel | BackboneReward]
    judges: Mapping[str, RewardModel | BackboneReward]
    facts: Mapping[str, Mapping[str, Facts]]  # "models" and "judges", each by objective

    @classmethod
    def prepare(cls, plan: Plan, setting: Setting, backbone: Backbone | None = None) -> Rewards:
        """Load or train all reward models, with heads on the backbone if there is one.

        Raises
        ------
        UsageError
            If one does no better than a bag of words on held-out pairs and `budget.checks` is on.
            With fewer than `FEW_HELD_OUT` pairs, one that is worse by less than the sampling error
            of its accuracy (one-sided, 95%) passes if it is above 50%, and `notes` say so.

        """
        shared = None if backbone is None else SharedFeatures(backbone)
        ready = {
            part: {name: _ready(plan, name, part, setting, shared) for name in plan.data.names}
            for part in plan.parts
        }
        models, judges = (
            {n: m for n, (m, _) in ready.get(p, {}).items()} for p in ("train", JUDGED)
        )
        kinds = {"models": "train", "judges": JUDGED}
        facts = {
            kind: {name: figures for name, (_, figures) in ready[part].items()}
            for kind, part in kinds.items()
            if part in ready
        }
        if setting.budget.checks:
            for kind, by_objective in facts.items():
                for name, figures in by_objective.items():
                    _refuse_poor(kind, name, figures)
        return cls(models, judges, facts)

    @property
    def scoring_notes(self) -> list[str]:
        """Texts that a reward model cut or could not render, so far."""
        return [model.note for model in self.models.values() if model.note]

    @property
    def notes(self) -> Iterator[str]:
        """Held-out accuracy of each reward model beside its baselines."""
        for kind, by_objective in self.facts.items():
            title = "reward model" if kind == "models" else "judge"
            for name, figures in by_objective.items():
                yield (
                    f"{name}: the {title} agrees with people on {figures['accuracy']:.1%} of "
                    f"{figures['held_out_pairs']} held-out pairs; a bag of words agrees on "
                    f"{figures['baseline_accuracy']:.1%}, with a cross-validated penalty on "
                    f"{figures['tuned_baseline_accuracy']:.1%}."
                )
                if "gain" in figures:
                    yield (
                        f"{name}: 95% intervals of the {title}: {figures['accuracy_low']:.1%} to "
                        f"{figures['accuracy_high']:.1%}, and {figures['gain_low']:+.1%} to "
                        f"{figures['gain_high']:+.1%} against the tuned bag of words; its "
                        f"calibration error is {figures['ece']:.1%}."
                    )
                if doubt := _doubt(figures):
                    yield f"{name}: {doubt}"
                if figures.get("refused"):
                    yield (
                        f"{name}: {figures['refused']} held-out pairs are left out, since the chat "
                        f"template of its {title} refuses them."
                    )
        for model in self.models.values():
            if isinstance(model, RewardModel):
                yield from reading_notes(model)
            elif model.note:
                yield model.note


def _ready(
    plan: Plan, name: str, part: str, setting: Setting, shared: SharedFeatures | None
) -> tuple[RewardModel | BackboneReward, Facts]:
    """A reward model and its accuracy on the pairs of all splits except `train`."""
    given, device = plan.spec(name, part), setting.device
    if given is None and shared is not None:
        return _ready_head(plan, name, part, setting, shared)
    train, unseen = plan.data.pairs(name, part), plan.data.pairs(name, *HELD_OUT)

    def make(folder: Path) -> None:
        progress = PeriodicLines(f"reward model of {name}", setting.say)
        if given is not None:
            setting.say(f"measuring the reward model {given.path!r} on {len(unseen)} human pairs")
            facts = measure_reward(load_reward(given, device), train, unseen, progress=progress)
        else:
            setting.say(f"training a reward model on {len(train)} pairs of {name} ({part})")
            facts = train_reward(
                train,
                unseen,
                folder,
                plan.start,
                device=device,
                progress=progress,
                journal=Journal(unfinished(folder), say=setting.say),
            )
        write_json(folder / FACTS, asdict(facts))

    folder = cached("reward", lambda: plan.key(name, part), make)
    # Not cached: the same model may lie in several folders.
    source = {"source": given.path if given else "trained on pairs"}
    facts = source | json.loads((folder / FACTS).read_text(encoding="utf-8"))
    # A bag of tokens reads the answer alone, as it was trained to.
    own = RewardSpec(name, str(folder), form="dialogue" if plan.start else "answer", logit=0)
    return load_reward(given or own, device), facts


def _ready_head(
    plan: Plan, name: str, part: str, setting: Setting, shared: SharedFeatures
) -> tuple[BackboneReward, Facts]:
    """A head on the backbone and its accuracy on the pairs of all splits except `train`."""
    train, unseen = plan.data.pairs(name, part), plan.data.pairs(name, *HELD_OUT)
    progress = PeriodicLines(f"reward model of {name}", setting.say)

    def make(folder: Path) -> None:
        setting.say(f"training a head on {len(train)} pairs of {name} ({part})")
        if setting.budget.checks:
            check_reads(shared.backbone, train)
        known, other = _features(plan, name, [train, unseen], setting, shared.backbone)
        source, given = "head on a backbone", (train, unseen, known, other)
        if plan.rank:
            source += f" with LoRA of rank {plan.rank}"
            lora = shared.backbone, plan.rank
            journal = Journal(unfinished(folder), say=setting.say)
            facts: RewardFacts = train_lora(*given, *lora, folder, progress, journal)
        else:
            facts = train_head(*given, folder, progress)
        write_json(folder / FACTS, {"source": source, **asdict(facts)})

    # A head of an unchecked backbone is none for a run that checks.
    checked = {"checked": setting.budget.checks}
    folder = cached("reward", lambda: plan.key(name, part) | checked, make)
    facts = json.loads((folder / FACTS).read_text(encoding="utf-8"))
    return BackboneReward.read(folder, name, shared), facts


def _features(
    plan: Plan, name: str, parts: Sequence[Sequence[Pair]], setting: Setting, backbone: Backbone
) -> list[PairFeatures]:
    """Features of parts of an objective's pairs; those of all its pairs are cached, in chunks."""
    pairs = plan.data.sets[plan.data.names.index(name)].pairs
    progress = PeriodicLines(f"features of {name}", setting.say)
    chunks = []
    for first in range(0, len(pairs), CHUNK):
        some = pairs[first : first + CHUNK]

        def make(folder: Path, first: int = first, some: Sequence[Pair] = some) -> None:
            progress(f"reading pairs from {first} on, of {len(pairs)}")
            PairFeatures.of(backbone, some).write(folder)

        key = {**plan.features_key(name), "first": first, "pairs_in_chunk": CHUNK}
        chunks.append(PairFeatures.read(cached("features", key, make)))
    whole = PairFeatures.joined(chunks)
    rows = {pair: row for row, pair in enumerate(pairs)}
    return [whole.take([rows[pair] for pair in part]) for part in parts]


def _refuse_poor(kind: str, name: str, figures: Facts) -> None:
    count, bound = figures["held_out_pairs"], figures["baseline_accuracy"]
    if count < FEW_HELD_OUT:
        bound = max(0.5, bound - _sampling_error(count))
    if figures["accuracy"] <= bound:
        title = "reward model" if kind == "models" else "judge"
        raise UsageError(
            f"benchmark.rewards.{name}: the {title} ({figures['source']}) agrees with people on "
            f"{figures['accuracy']:.1%} of {figures['held_out_pairs']} held-out pairs, no better "
            f"than a bag of words ({figures['baseline_accuracy']:.1%}); use a better model, "
            "provide more pairs, or set budget.checks=false"
        )


def _doubt(figures: Facts) -> str:
    """Caveat on an accuracy that few held-out pairs leave uncertain; empty if there is none."""
    accuracy, count = figures["accuracy"], figures["held_out_pairs"]
    error = _sampling_error(count)
    doubts = {
        "chance (50%)": accuracy - error <= 0.5,
        "a bag of words": count < FEW_HELD_OUT and accuracy <= figures["baseline_accuracy"],
    }
    less = " or ".join(f"above {what}" for what, doubtful in doubts.items() if doubtful)
    return less and (
        f"{count} held-out pairs, with a sampling error of {error:.1%} (one-sided, 95%), do not "
        f"show that its accuracy is {less}."
    )


def _sampling_error(count: int) -> float:
    """Largest one-sided 95% sampling error of an accuracy on `count` pairs."""
    return 1.64 * math.sqrt(0.25 / count)
