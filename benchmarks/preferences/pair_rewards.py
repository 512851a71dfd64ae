"""The reward models of the objectives, given or trained here, and what they are worth."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from paretosteer.benchmarks.preferences.pair_data import HELD_OUT, Data
from paretosteer.benchmarks.preferences.prompts import JUDGED
from paretosteer.errors import UsageError, did_you_mean
from paretosteer.storage.atomic import write_json
from paretosteer.storage.cache import cached
from paretosteer.text.model import model_digest
from paretosteer.text.rewards import (
    RewardModel,
    RewardSpec,
    RewardTraining,
    load_reward,
    measure_reward,
    reward_digest,
    train_reward,
)
from paretosteer.text.rewards.bradley_terry import TRAINER_VERSION

if TYPE_CHECKING:
    from paretosteer.config.setting import Setting

FACTS = "facts.json"
Facts = Mapping[str, Any]  # `source`, `held_out_pairs`, `accuracy`, `baseline_accuracy`, …


@dataclass(frozen=True)
class Plan:
    """Which reward models there are to be, before any is loaded or trained.

    `given` are those that the configuration names; the others are trained from the language model
    in the folder (or of the hub name) `start`, or from a bag of tokens without one.
    """

    data: Data
    given: Mapping[str, RewardSpec]
    start: str | None

    @classmethod
    def of(cls, data: Data, rewards: Mapping[str, Any], start: str | None) -> Plan:
        """From the option `benchmark.rewards`; UsageError where it cannot be."""
        for name in rewards:
            if name not in data.names:
                raise UsageError(
                    f"benchmark.rewards.{name}: there are no pairs of this objective; "
                    f"{did_you_mean(name, data.names)}"
                )
        given = {name: RewardSpec.of(v, name) for name, v in rewards.items() if v is not None}
        return cls(data, given, start)

    @property
    def parts(self) -> tuple[str, ...]:
        """The parts of the training pairs that have models of their own."""
        return ("train", JUDGED) if self.data.judge else ("train",)

    @property
    def keys(self) -> dict[str, Any]:
        """Everything that the reward models and their figures depend on."""
        return {part: [self.key(name, part) for name in self.data.names] for part in self.parts}

    def key(self, objective: str, part: str) -> dict[str, Any]:
        """The same of one of them."""
        pairs = {"pairs": self.data.digests[objective], "judge": self.data.judge, "part": part}
        if self.spec(objective, part) is not None:
            return {"given": reward_digest(self.given[objective]), **pairs}
        start = {"start": model_digest(self.start) if self.start else None}
        return {"version": TRAINER_VERSION, "training": asdict(RewardTraining()), **start, **pairs}

    def spec(self, objective: str, part: str) -> RewardSpec | None:
        """The model that the configuration names; judges are always trained here."""
        return self.given.get(objective) if part == "train" else None


@dataclass(frozen=True)
class Rewards:
    """Reward models by objective with their figures; without a judge, `judges` is empty."""

    models: Mapping[str, RewardModel]
    judges: Mapping[str, RewardModel]
    facts: Mapping[str, Mapping[str, Facts]]  # "models" and "judges", each by objective

    @classmethod
    def prepare(cls, plan: Plan, setting: Setting) -> Rewards:
        """Load or train all of them.

        Raises
        ------
        UsageError
            If one does no better than a bag of words on pairs that it never saw, and the budget's
            checks are on.

        """
        found = {
            part: {name: _ready(plan, name, part, setting) for name in plan.data.names}
            for part in plan.parts
        }
        models, judges = (
            {n: m for n, (m, _) in found.get(p, {}).items()} for p in ("train", JUDGED)
        )
        kinds = {"models": "train", "judges": JUDGED}
        facts = {
            kind: {name: told for name, (_, told) in found[part].items()}
            for kind, part in kinds.items()
            if part in found
        }
        if setting.budget.checks:
            for kind, told in facts.items():
                for name, figures in told.items():
                    _refuse_poor(kind, name, figures)
        return cls(models, judges, facts)

    @property
    def notes(self) -> Iterator[str]:
        """How often each orders unseen pairs as people did."""
        for kind, told in self.facts.items():
            title = "reward model" if kind == "models" else "judge"
            for name, figures in told.items():
                yield (
                    f"{name}: the {title} orders {figures['accuracy']:.1%} of "
                    f"{figures['held_out_pairs']} human pairs that it never saw as people did, a "
                    f"bag of words {figures['baseline_accuracy']:.1%}, one with a cross-validated "
                    f"penalty {figures['tuned_baseline_accuracy']:.1%}."
                )


def _ready(plan: Plan, name: str, part: str, setting: Setting) -> tuple[RewardModel, Facts]:
    """One reward model, and its figures on the pairs of all splits but `train`."""
    given, device = plan.spec(name, part), setting.device
    train, unseen = plan.data.pairs(name, part), plan.data.pairs(name, *HELD_OUT)

    def make(folder: Path) -> None:
        if given is not None:
            setting.say(f"measuring the reward model {given.path!r} on {len(unseen)} human pairs")
            facts = measure_reward(load_reward(given, device), train, unseen)
            source = given.path
        else:
            setting.say(f"training a reward model on {len(train)} pairs of {name} ({part})")
            facts = train_reward(train, unseen, folder, plan.start, device=device)
            source = "trained on pairs"
        write_json(folder / FACTS, {"source": source, **asdict(facts)})

    folder = cached("reward", plan.key(name, part), make)
    facts = json.loads((folder / FACTS).read_text(encoding="utf-8"))
    # A bag of tokens reads the answer alone.
    own = RewardSpec(name, str(folder), form="dialogue" if plan.start else "answer")
    return load_reward(given or own, device), facts


def _refuse_poor(kind: str, name: str, figures: Facts) -> None:
    if figures["accuracy"] <= figures["baseline_accuracy"]:
        title = "reward model" if kind == "models" else "judge"
        raise UsageError(
            f"benchmark.rewards.{name}: the {title} ({figures['source']}) orders "
            f"{figures['accuracy']:.1%} of {figures['held_out_pairs']} unseen pairs as people did, "
            f"no more than a bag of words ({figures['baseline_accuracy']:.1%}); give a better one, "
            "give more pairs, or say budget.checks=false"
        )
