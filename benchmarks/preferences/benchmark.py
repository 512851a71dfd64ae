"""Objectives from human preference pairs: reward models trained on them, and DPO on the pairs."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from functools import cached_property
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Literal

import numpy as np
import torch

from paretosteer.benchmark import TRAINING, few_calibration
from paretosteer.benchmarks.preferences.embedded_start import (
    check_start,
    size_note,
    start_key,
    train_start,
)
from paretosteer.benchmarks.preferences.pair_answers import Answers
from paretosteer.benchmarks.preferences.pair_data import HELD_OUT, Data
from paretosteer.benchmarks.preferences.pair_rewards import Plan, Rewards
from paretosteer.benchmarks.preferences.rendering import Reader, check_template
from paretosteer.config.options import BaseOptions, option
from paretosteer.errors import UnsupportedError, UsageError
from paretosteer.interfaces import Array, Lists
from paretosteer.objective import Objective
from paretosteer.policies.conditioning import Unconditioned
from paretosteer.storage.digest import digest
from paretosteer.text.benchmark import SHARED_SEED
from paretosteer.text.chat_template import RefusedDialogueError, has_template
from paretosteer.text.dialogue import Dialogue, parse_transcript, writes_own_tokens
from paretosteer.text.model import LanguageModel, load_model
from paretosteer.text.model_notes import model_notes
from paretosteer.text.model_source import model_digest, model_folder
from paretosteer.text.reward_objectives import ScoredByRewards
from paretosteer.text.rewards.backbone import Backbone
from paretosteer.text.rewards.reward_spec import check_distinct
from paretosteer.text.samples import Prompt, TextSamples
from paretosteer.text.special_tokens import leave_bare, spelled_note
from paretosteer.training.scoring import filled

if TYPE_CHECKING:
    import pandas as pd

    from paretosteer.config.schema import Budget, CellConfig, Model
    from paretosteer.config.setting import Setting
    from paretosteer.policies.control import Control
    from paretosteer.policies.protocols import Policy

WORST = -10.0  # reward of an answer that cannot be scored
DPO_BETA = float(TRAINING["beta_dpo"])  # of the DPO losses that are reported
SOFT_PROMPT_ROOM = 16  # tokens of the context reserved for soft prompts


class Preferences(ScoredByRewards):
    """Prompts of preference pairs; each objective is a reward model of its pairs."""

    name = "preferences"
    version = "1"
    feedback: ClassVar[Mapping[str, str]] = {
        "reward": "one reward model per objective scores what the policy writes",
        "preference": "the human pairs themselves; an objective's share is its weight",
        "imitation": "chosen answers of an objective, rejected ones for a negative weight",
    }

    class Options(BaseOptions):
        """Options of the benchmark `preferences`."""

        pairs: Mapping[str, Any] = option(
            {"helpful": None, "harmless": None},
            "preference pairs by objective: a file, a folder, the name of a data set, or "
            "{path, split, config, folder, revision, winner, rating, columns}; null: left out",
            place=True,
        )
        rewards: Mapping[str, Any] = option(
            {},
            "reward models by objective: a folder, a hub name, or {path, form, logit, sign, "
            "...}; a missing one is trained on the objective's pairs",
            place=True,
        )
        start: Mapping[str, Any] = option(
            {},
            "embedded start model, to override the budget's: vocabulary, width, layers, heads, "
            "steps, learning_rate, batch_tokens, context",
        )
        reward_start: str | None = option(
            None,
            "language model that initialises reward models, a folder or a hub name; null: a bag "
            "of tokens",
            place=True,
        )
        policy_pairs: int | None = option(
            None,
            "pairs per objective for preference and imitation feedback; null: all. Reward models "
            "always use all pairs",
            least=1,
        )
        reward_backbone: str | None = option(
            None,
            "causal model whose hidden states are the input of the reward models, which are "
            "linear heads: start, a folder or a hub name; null: none",
            place=True,
        )
        reward_backbone_rank: int = option(
            0,
            "rank of a LoRA that is trained with each of these heads; 0: the backbone stays frozen",
            least=0,
        )
        judge: bool = option(
            False,
            "reserve half of the training pairs for a judge, a reward model that no "
            "method is trained against",
        )
        max_new_tokens: int = option(
            48, "longest answer, in tokens; human answers are truncated to it", least=1
        )
        min_new_tokens: int = option(1, "shortest answer, in tokens", least=0)
        temperature: float = option(1.0, "temperature of sampling, above 0", above=0)
        max_prompt_tokens: int = option(
            128, "longest prompt, in tokens; a dialogue loses its oldest turns first", least=1
        )
        truncate: Literal["left", "right"] = option(
            "left", "end at which a single turn that is too long is truncated"
        )
        template: str | None = option(
            None,
            "template around {prompt} for tokenizers without a chat template; "
            "null: the transcript of the dialogue",
        )
        evaluation_prompts: int | None = option(
            100,
            "number of calibration, validation and test prompts each, balanced over objectives; "
            "null: all",
            least=1,
        )

    def __init__(self, options: Options, setting: Setting):
        self.data = Data.of(options.pairs, options.judge)
        dtype = str(setting.dtype).removeprefix("torch.")
        self.plan = self._plan(self.data, options, setting.model, setting.budget, dtype)
        super().__init__(options, setting)
        backbone = self._backbone()
        self._backbone_notes = self._notes_on(backbone)
        self._rewards = Rewards.prepare(self.plan, setting, backbone)

    @classmethod
    def _plan(cls, data: Data, options: Options, model: Model, budget: Budget, dtype: str) -> Plan:
        """Reward models under a start model, a budget and a precision."""
        path = options.reward_backbone
        if path is None:
            backbone = None
        elif path == "start":
            backbone = cls.start_digest(model, budget, options), dtype
        else:
            backbone = cls._backbone_digest(path, model.pad_token), dtype
        rank = options.reward_backbone_rank
        return Plan.of(data, options.rewards, options.reward_start, backbone, rank)

    @staticmethod
    def _backbone_digest(path: str, pad: str | None) -> str:
        """Digest of a backbone with the padding token that its tokenizer is given."""
        return digest({"hf": model_digest(path, "benchmark.reward_backbone"), "pad": pad})

    def _backbone(self) -> Backbone | None:
        """Backbone of the reward models, if they have one."""
        path = self.options.reward_backbone
        if path is None:
            return None
        if path == "start":
            return Backbone(self.model)
        option, setting = "benchmark.reward_backbone", self.setting
        pad = setting.model.pad_token
        try:
            model = load_model(path, setting.device, setting.dtype, pad)
        except UsageError as error:
            raise UsageError(str(error).replace("model.path", option)) from None
        if self.plan.backbone and self._backbone_digest(path, pad) != self.plan.backbone[0]:
            raise UsageError(f"{option}: {path!r} was edited meanwhile; run the command again")
        return Backbone(_without_own_tokens(model))

    def _notes_on(self, backbone: Backbone | None) -> list[str]:
        """Notes on a backbone that is not the start model."""
        path = self.options.reward_backbone
        if backbone is None or path is None or path == "start":
            return []
        folder = model_folder(path, "benchmark.reward_backbone")
        network, tokenizer = backbone.model.network, backbone.model.tokenizer
        return model_notes("The backbone of the reward models", network, tokenizer, folder)

    @classmethod
    def training_defaults(cls, options: Options) -> Mapping[str, Any]:
        """Training defaults; lists have two answers, since people compared two at a time."""
        # Learned rewards are easy to over-optimise, so the learning rate is lower and KL costs
        # more than in benchmarks whose objectives are exact.
        return {**TRAINING, "list_size": 2, "learning_rate": 2e-3, "kappa": 0.1}

    @classmethod
    def model_key(cls, config: CellConfig, options: Options) -> str:
        """Digest of the start model, the pairs and the reward models."""
        data = Data.of(options.pairs, options.judge)
        if options.template is not None:
            check_template(options.template)
        if config.model.name != "embedded" and options.start:
            raise UsageError(
                f"benchmark.start: not used with model={config.model.name}, which is not trained "
                "from scratch; remove it, or set model=embedded"
            )
        plan = cls._plan(data, options, config.model, config.budget, config.dtype)
        plan.check_distinct()
        return digest(
            {
                "start": super().model_key(config, options),
                "pairs": data.digests,
                "objectives": data.names,
                "rewards": plan.keys,
            }
        )

    @classmethod
    def describe_data(cls, options: Options) -> Sequence[str]:
        """Usable pairs of every objective, by split, and what is left out."""
        data, given = Data.of(options.pairs, options.judge), set(options.rewards)
        # Also where they are written in two formats, which their digests do not show.
        own = {each.objective: each.content for each in data.sets if each.objective not in given}
        check_distinct("benchmark.pairs", own)
        return data.counts(given)

    @classmethod
    def objective_versions(cls, options: Options) -> Mapping[str, str]:
        """One version for all objectives; `model_key` covers the pairs and the reward models."""
        return dict.fromkeys(Data.of(options.pairs, options.judge).names, "1")

    @classmethod
    def embedded_key(cls, options: Options, budget: Budget) -> Mapping[str, Any]:
        """Pairs, size and training steps of the embedded model."""
        return start_key(Data.of(options.pairs, options.judge), budget, options.start)

    def make_embedded(self, folder: Path) -> None:
        """Train a small model from scratch on the chosen answers of the training pairs."""
        train_start(self.data, self.setting, self.options.start, folder)

    def check_embedded(self, folder: Path) -> None:
        check_start(folder)

    def declared(self) -> Sequence[Objective]:
        """One objective per set of pairs."""
        return [
            Objective(name, "reward", WORST, "score of a reward model of human preferences")
            for name in self.data.names
        ]

    @property
    def rewards(self) -> Mapping[str, Any]:
        """Reward model of every objective."""
        return self._rewards.models

    @property
    def reward_models(self) -> Mapping[str, Any]:
        """Source and held-out accuracy of every reward model, for the record."""
        facts: dict[str, Any] = dict(self._rewards.facts)
        if self._rewards.judges:
            moments = self.measured("judge_normaliser", self._judge)
            facts["judge_normaliser"] = {"mean": list(moments.mean), "std": list(moments.std)}
        return facts

    def judged(self, samples: TextSamples) -> Array | None:
        """Raw scores of the judges, (rows, m), or None without judges.

        Nothing is trained on the judges, so they reveal reward hacking.
        """
        return self._judge(samples) if self._rewards.judges else None

    def _judge(self, samples: TextSamples) -> Array:
        return self.scores_of(self._rewards.judges, samples)

    @property
    def notes(self) -> Sequence[str]:  # type: ignore[override]
        """Pairs left out, texts that were cut, and the accuracy of the reward models."""
        few = few_calibration(len(self.split("calibration")), "prompts")
        return [
            *super().notes,
            *self._backbone_notes,
            *(pairs.note for pairs in self.data.sets),
            *self._cut_notes,
            *spelled_note("human answers", self.answers.texts, self.model.tokenizer),
            *([self.reader.answer_note] if self.reader.answer_note else []),
            *self._rewards.notes,
            self._loss_note,
            *self._size_notes,
            *([few] if few else []),
        ]

    @property
    def _size_notes(self) -> list[str]:
        note = size_note(self.embedded_folder) if self.embedded_folder else None
        return [note] if note else []

    @property
    def scoring_notes(self) -> Sequence[str]:
        """Texts that a reward model cut or could not render."""
        return self._rewards.scoring_notes

    @property
    def _cut_notes(self) -> list[str]:
        ids = {prompt.id for part in self._splits.values() for prompt in part}
        prompts, answers = len(ids & self.reader.cut), self.answers.cut
        counts = {
            self._refused_note: len(self.reader.refused),
            f"{prompts} of {len(ids)} prompts exceed {self.reader.room} tokens and lose their "
            f"oldest turns, or the {self.options.truncate} end of a single turn.": prompts,
            f"{answers} of {len(self.answers.ids)} human answers exceed "
            f"{self.decoding.max_new_tokens} tokens and are cut for training.": answers,
        }
        return [*self.data.cut_notes, *(note for note, count in counts.items() if count)]

    def _load(self) -> LanguageModel:
        return _without_own_tokens(super()._load())

    # -- prompts ----------------------------------------------------------------------------

    def split(self, name: str) -> Sequence[Prompt]:
        """Prompts of a split, alternating between the objectives."""
        return self._splits[name]

    def typed(self, text: str) -> Prompt:
        """Prompt typed by a user: a question or a whole transcript."""
        try:
            return self.reader.prompt(parse_transcript(text))
        except RefusedDialogueError as error:
            raise UsageError(
                f"prompt: the chat template of {self.model_name!r} refuses it ({error}); "
                "change the prompt"
            ) from None

    def recall(self, shown: pd.DataFrame) -> TextSamples:
        """Samples restored from `samples.jsonl`, with the dialogues of the test prompts."""
        by_id = {prompt.id: prompt for prompt in self.prompts("test")}
        prompts = [by_id[key] for key in shown["prompt_id"]]
        return TextSamples.of_texts(prompts, shown["sample"].tolist(), shown["text"].tolist())

    @cached_property
    def reader(self) -> Reader:
        """Renderer of dialogues into prompts that fit this model's context."""
        o = self.options
        room = min(o.max_prompt_tokens, self.model.context - o.max_new_tokens - SOFT_PROMPT_ROOM)
        if room < 1:
            raise UsageError(
                f"benchmark.max_new_tokens: {o.max_new_tokens} new tokens leave no room for a "
                f"prompt in a context of {self.model.context} tokens; lower it"
            )
        if o.template is not None and has_template(self.model.tokenizer):
            raise UsageError(
                f"benchmark.template: not used, since the tokenizer of {self.model_name!r} has a "
                "chat template; remove it"
            )
        return Reader(self.model.tokenizer, room, o.template, o.truncate)

    @cached_property
    def _splits(self) -> dict[str, list[Prompt]]:
        most = dict.fromkeys(HELD_OUT, self.options.evaluation_prompts) | {"train": None}
        splits = {}
        for split, limit in most.items():
            dialogues = self.data.prompts(split)
            readable = self.reader.prompts(filter(self._scorable, dialogues))
            splits[split] = list(islice(readable, limit))
            if not splits[split]:
                raise UsageError(
                    f"model.path: the chat template refuses all {len(dialogues)} prompts of split "
                    f"{split}: {self.reader.refusals}; use a model whose template accepts them"
                )
        if self.reader.refused:
            self.setting.say(self._refused_note)
        return splits

    def _scorable(self, dialogue: Dialogue) -> bool:
        """False for a dialogue that the chat template of a reward model refuses."""
        for model in self.plan.chats:
            if reason := model.refusal(dialogue):
                self.reader.refuse(dialogue, f"the reward model of {model.spec.name}: {reason}")
                return False
        return True

    @property
    def _refused_note(self) -> str:
        return (
            f"{len(self.reader.refused)} prompts are left out, since a chat template refuses "
            f"them: {self.reader.refusals}."
        )

    # -- feedback ---------------------------------------------------------------------------

    def lists(self, rng: np.random.Generator, weights: Array, size: int | None) -> Lists:
        """One human pair per row of weights (rows, m), chosen answer first.

        The objective j of a pair is drawn with probability |w_j| / sum |w|, so few pairs are spent
        on small weights. Scaling its label by sum |w| / |w_j| keeps the loss unbiased: its
        expectation is sum_j w_j L_j.
        """
        if size != 2:
            raise UsageError(
                f"method.list_size: found {size}, but people compared two answers at a time; "
                "set method.list_size=2"
            )
        objective, pair = self.answers.draw(rng, weights)
        rows = np.stack([2 * pair, 2 * pair + 1], axis=1)  # (lists, 2), the chosen answer first
        every = np.arange(len(weights))
        labels = torch.zeros(len(weights), 2, weights.shape[1])
        scale = np.abs(weights).sum(axis=1) / np.abs(weights[every, objective])
        labels[every, 0, objective] = torch.as_tensor(scale, dtype=torch.float32)
        candidates = self.answers.take(rows.ravel().tolist(), self.setting.device)

        def rewards() -> torch.Tensor:
            return torch.stack([self._rewards_of(int(each)) for each in pair])

        start = self._start_scores[rows]
        keys = pair.tolist()
        return Lists(candidates, labels, start, candidates.tokens, score=rewards, keys=keys)

    def _rewards_of(self, pair: int) -> torch.Tensor:
        """Normalised rewards (2, m) of a pair's answers, scored once.

        One pair at a time, so that they do not depend on which pairs are drawn with it.
        """
        if pair not in self._pair_rewards:
            answers = self.answers.take([2 * pair, 2 * pair + 1], self.setting.device)
            z = self.normaliser.apply(filled(self.objectives, self.score(answers)))
            self._pair_rewards[pair] = torch.as_tensor(z, dtype=torch.float32)
        return self._pair_rewards[pair]

    @cached_property
    def _pair_rewards(self) -> dict[int, torch.Tensor]:
        return {}

    def demonstrations(
        self, rng: np.random.Generator, weights: Array, quantile: float
    ) -> TextSamples:
        """One human answer per row of weights (rows, m): chosen, or rejected if w_j < 0.

        The objective j is drawn in proportion to |w_j|. `quantile` is ignored, since people
        compared only two answers.
        """
        objective, pair = self.answers.draw(rng, weights)
        rejected = weights[np.arange(len(weights)), objective] < 0
        return self.answers.take((2 * pair + rejected).tolist(), self.setting.device)

    @cached_property
    def answers(self) -> Answers:
        """Tokenised answers of the training pairs."""
        _ = self._splits  # collects the prompts that a chat template refuses
        pairs = {
            name: [
                pair
                for pair in self.data.pairs(name, "train")
                if pair.prompt not in self.reader.refused
            ][: self.options.policy_pairs]
            for name in self.data.names
        }
        for name, some in pairs.items():
            if not some:
                raise UsageError(
                    f"benchmark.pairs.{name}: the chat template refuses the prompts of all "
                    f"training pairs: {self.reader.refusals}; use a model whose template "
                    "accepts them"
                )
        answers = Answers(pairs, self.reader, self.decoding.max_new_tokens, self._end)
        self.model.check_embedded(token for ids in answers.ids for token in ids)
        return answers

    @property
    def _end(self) -> int | None:
        """End token of human answers: the chat template's, the tokenizer's or a listed one."""
        return self.reader.end(self.model.ends)

    def extra_measures(self, policy: Policy, control: Control) -> Mapping[str, Array]:
        """DPO loss of each objective on the pairs of the test prompts, (k, m), as `dpo_losses`.

        Not normalised by the start model, whose loss is ln 2 on every pair.
        """
        if control.candidates is not None:
            raise UnsupportedError("the best of n answers has no log-probability, so no DPO loss")
        held_out = self._held_out
        if not held_out.sizes.all():
            return {}
        start = self._scored_by_start(held_out)
        device = self.setting.device
        return {"dpo_losses": held_out.dpo_losses(policy, control, start, DPO_BETA, device)}

    @cached_property
    def _held_out(self) -> Answers:
        """Tokenised answers of the pairs of the test prompts."""
        prompts = {prompt.dialogue for prompt in self.prompts("test")}
        pairs = {
            name: [pair for pair in self.data.pairs(name, "test") if pair.prompt in prompts]
            for name in self.data.names
        }
        return Answers(pairs, self.reader, self.decoding.max_new_tokens, self._end)

    @property
    def _loss_note(self) -> str:
        sizes = self._held_out.sizes.tolist()
        counts = ", ".join(f"{name} {n}" for name, n in zip(self.data.names, sizes, strict=True))
        if not all(sizes):
            return f"No DPO losses: an objective has no pairs among the test prompts ({counts})."
        return f"DPO losses are means over held-out pairs ({counts}) at β = {DPO_BETA:g}."

    @cached_property
    def _start_scores(self) -> torch.Tensor:
        """Log-probabilities of the answers of the training pairs, (rows,)."""
        return self._scored_by_start(self.answers)

    def _scored_by_start(self, answers: Answers) -> torch.Tensor:
        key = {
            "start": self.start_digest(self.setting.model, self.setting.budget, self.options),
            "dtype": str(self.setting.dtype),
            "decoding": asdict(self.decoding),
        }
        policy = self.start_policy(Unconditioned(), SHARED_SEED)
        return answers.start_scores(policy, key, self.setting)


def _without_own_tokens(model: LanguageModel) -> LanguageModel:
    """The model, whose tokenizer adds no special tokens where a chat template writes them."""
    chats = has_template(model.tokenizer) and not model.encoder_decoder
    if chats and writes_own_tokens(model.tokenizer):
        leave_bare(model.tokenizer, model.name)
    return model
