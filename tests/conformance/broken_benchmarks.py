"""Bandits that are broken, each in one way, and one that shows its samples as text."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any, ClassVar

import numpy as np
import torch

from paretosteer.benchmark import Benchmark
from paretosteer.benchmarks.bandit.benchmark import Bandit
from paretosteer.benchmarks.bandit.policy import Actions, TabularPolicy
from paretosteer.config.options import BaseOptions, option
from paretosteer.errors import UnsupportedError
from paretosteer.interfaces import Lists, Oracle
from paretosteer.metrics import Normaliser
from paretosteer.policies.control import Control


class Policed(Bandit):
    """A bandit with another policy, over a table."""

    policy: ClassVar[type] = TabularPolicy

    def start_policy(self, conditioning, seed):
        return self.policy(self._start, conditioning, seed)


# -- the class ------------------------------------------------------------------------------


class Bare:
    name, version = "bare", "1"

    class Options(BaseOptions):
        pass


class HalfWorld(Benchmark):
    name, version = "half", "1"
    feedback: ClassVar[Mapping[str, str]] = {"reward": "…"}

    class Options(BaseOptions):
        pass


class Misspelt(Bandit):
    feedback: ClassVar[Mapping[str, str]] = {"rewards": "the exact expectation"}


class NoQuick(Bandit):
    steps: ClassVar[Mapping[str, int]] = {"smoke": 4}


class Unhelpful(Bandit):
    class Options(Bandit.Options):
        noise: float = option(0.0, "")


class Anything(Bandit):
    class Options(Bandit.Options):
        noise: object = option(None, "whatever")


# -- what is declared -----------------------------------------------------------------------


class Renamed(Bandit):
    """Objectives of other names, units or worst values."""

    changes: ClassVar[Mapping[str, Any]] = {}

    def __init__(self, options, setting):
        super().__init__(options, setting)
        self.objectives = (replace(self.objectives[0], **self.changes), *self.objectives[1:])


class Reserved(Renamed):
    changes: ClassVar[Mapping[str, Any]] = {"name": "kl"}


class Alike(Renamed):
    changes: ClassVar[Mapping[str, Any]] = {"name": "reward_2"}


class Endless(Renamed):
    changes: ClassVar[Mapping[str, Any]] = {"worst": -np.inf}


class Unitless(Renamed):
    changes: ClassVar[Mapping[str, Any]] = {"unit": ""}


class Alone(Bandit):
    def __init__(self, options, setting):
        super().__init__(options, setting)
        self.objectives = self.objectives[:1]


class NewKey(Bandit):
    calls = 0

    @classmethod
    def model_key(cls, config, options):
        cls.calls += 1
        return f"key {cls.calls}"


class OldVersions(Bandit):
    @classmethod
    def objective_versions(cls, options):
        return {"reward_1": "0", "reward_2": "1"}


class NoRate(Bandit):
    @classmethod
    def training_defaults(cls, options):
        return {**super().training_defaults(options), "learning_rate": None}


class Split(Bandit):
    """Contexts of the splits by hand."""

    spans: ClassVar[Mapping[str, range]] = {}

    def split(self, name):
        every = self._contexts["train"]
        return [every[i] for i in self.spans[name]]


class Leaks(Split):
    spans: ClassVar[Mapping[str, range]] = {
        "train": range(20),
        "calibration": range(20, 30),
        "validation": range(30, 40),
        "test": range(39, 60),
    }


class NoTest(Split):
    spans: ClassVar[Mapping[str, Any]] = {**Leaks.spans, "test": range(0)}


class NoPrompts(Bandit):
    def prompts(self, split):
        return []


class Twins(Split):
    spans: ClassVar[Mapping[str, Any]] = {**Leaks.spans, "test": [40, 41, 40]}


class Flat(Bandit):
    normaliser = Normaliser((0.0, 0.0), (1.0, 0.0))


class OneMoment(Bandit):
    normaliser = Normaliser((0.0,), (1.0,))


class Elsewhere(Bandit):
    normaliser = Normaliser((50.0, 0.0), (1.0, 1.0))


class Restless(Bandit):
    builds = 0

    def _make(self, rng):
        Restless.builds += 1
        super()._make(np.random.default_rng(Restless.builds))


class GlobalBuild(Bandit):
    def _make(self, rng):
        torch.rand(1)
        super()._make(rng)


# -- policies -------------------------------------------------------------------------------


class Eager(TabularPolicy):
    def __init__(self, start, conditioning, seed):
        super().__init__(start, conditioning, seed)
        with torch.no_grad():
            for p in self.parameters():
                p.add_(torch.randn(p.shape, generator=torch.Generator().manual_seed(seed)))


class NotAtStart(Policed):
    policy = Eager


class AlwaysOn(TabularPolicy):
    def logits(self, contexts, control):
        if control.kind == "start" and self.layers:
            control = Control.bank([0] * control.rows)
        return super().logits(contexts, control)


class StartDrifts(Policed):
    policy = AlwaysOn


class GlobalNoise(TabularPolicy):
    def sample(self, contexts, control, seed, samples):
        return super().sample(contexts, control, int(torch.randint(2**31, (1,))), samples)


class DrawsGlobally(Policed):
    policy = GlobalNoise


class Deaf(TabularPolicy):
    def sample(self, contexts, control, seed, samples):
        return super().sample(contexts, control, 3, [0] * len(samples))


class SeedForgotten(Policed):
    policy = Deaf


class ByPlace(TabularPolicy):
    def sample(self, contexts, control, seed, samples):
        return super().sample(contexts, control, seed, range(len(samples)))


class NoiseByPlace(Policed):
    policy = ByPlace


class Warm(TabularPolicy):
    def log_probs(self, samples, control):
        return super().log_probs(samples, control) / 2


class ScoredWarm(Policed):
    policy = Warm


class Averaged(TabularPolicy):
    def log_policy(self, contexts, control):
        if control.kind == "soup":
            mean = control.values.mean(dim=0, keepdim=True)
            control = replace(control, values=mean.expand_as(control.values))
        return super().log_policy(contexts, control)


class RowsMixed(Policed):
    policy = Averaged


class Detached(TabularPolicy):
    def log_probs(self, samples, control):
        return super().log_probs(samples, control).detach().requires_grad_()


class NoGradient(Policed):
    policy = Detached


class Offset(TabularPolicy):
    def drift(self, answers, control):
        found = super().drift(answers, control)
        return replace(found, kl=found.kl + 1)


class DriftsAtStart(Policed):
    policy = Offset


# -- scores ---------------------------------------------------------------------------------


class OneScore(Bandit):
    def score(self, samples):
        return super().score(samples)[:, 0]


class ExitScore(Bandit):
    def score(self, samples):
        raise SystemExit(6)


class Unscored(Bandit):
    def score(self, samples):
        return np.where(np.arange(len(samples))[:, None] < 8, np.nan, super().score(samples))


class NoisyScore(Bandit):
    def score(self, samples):
        return super().score(samples) + np.random.default_rng().normal(size=(len(samples), 2))


class WorstTooGood(Renamed):
    changes: ClassVar[Mapping[str, Any]] = {"worst": 5.0}


class Shown(Bandit):
    """Keeps its actions as text, and reads them again."""

    def describe(self, samples):
        rows = zip(samples.contexts, samples.action.tolist(), strict=True)
        return [{"prompt": context.id, "text": str(action)} for context, action in rows]

    def recall(self, shown):
        contexts = {c.id: c for c in self.split("train")}
        chosen = tuple(contexts[x] for x in shown["prompt_id"])
        action = torch.tensor([int(x) if x.isdecimal() else -1 for x in shown["text"]])
        return Actions(chosen, action, torch.zeros(len(action), 1))

    def score(self, samples):
        raw = super().score(samples)
        if isinstance(samples, Actions):
            raw[samples.action.numpy() < 0] = np.nan
        return raw


class Fragile(Shown):
    def recall(self, shown):
        return super().recall(shown.assign(text=[str(int(x)) for x in shown["text"]]))


class Forgetful(Shown):
    def describe(self, samples):
        return [{**row, "text": "0"} for row in super().describe(samples)]


class Partial(Shown):
    def describe(self, samples):
        return super().describe(samples)[1:]


# -- feedback and optimum -------------------------------------------------------------------


class Promises(Bandit):
    def lists(self, rng, weights, size):
        raise UnsupportedError("bandit has no lists after all")


class Indifferent(Bandit):
    def lists(self, rng, weights, size):
        lists = super().lists(rng, weights, size)
        return replace(lists, labels=torch.zeros_like(lists.labels))


class WrongStart(Bandit):
    def lists(self, rng, weights, size):
        lists: Lists = super().lists(rng, weights, size)
        return replace(lists, start_log_probs=lists.start_log_probs - 1)


class UnevenLists(Bandit):
    def lists(self, rng, weights, size):
        return super().lists(np.random.default_rng(), weights, size)


class NoOracle(Bandit):
    def oracle(self, preferences):
        found = super().oracle(preferences)
        return Oracle(found.points[::-1].copy(), found.start)


class LowOracle(Bandit):
    def oracle(self, preferences):
        found = super().oracle(preferences)
        return Oracle(found.points - 10, found.start)


class Unbuilt(Bandit):
    def __init__(self, options, setting):
        raise SystemExit("no licence")


class OtherMain(Bandit):
    main_objective = "relevance"


class OneMeasure(Bandit):
    def extra_measures(self, policy, control):
        return {"length": np.zeros((1, 1))}


BENCHMARKS: list[tuple[type, str, str]] = [
    (Bare, "interface", "of paretosteer.benchmark.Benchmark"),
    (HalfWorld, "interface", "does not define model_key, model_name"),
    (Misspelt, "interface", "feedback names 'rewards'"),
    (NoQuick, "interface", "steps has no quick, full"),
    (Unhelpful, "options and help", "option noise has no help"),
    (Anything, "wrong options", "benchmark.noise takes anything"),
    (Alone, "objectives", "1 objectives"),
    (Reserved, "objectives", "an objective is called 'kl'"),
    (Alike, "objectives", "2 objectives are called 'reward_2'"),
    (Endless, "objectives", "the worst value of reward_1 is -inf"),
    (Unitless, "objectives", "reward_1 has no unit"),
    (OtherMain, "objectives", "main_objective is 'relevance'"),
    (NewKey, "keys", "model_key changes from call to call"),
    (OldVersions, "keys", "objective_versions returns {'reward_1': '0'"),
    (NoRate, "training defaults", "training_defaults gives None for learning_rate"),
    (Leaks, "splits", "1 prompts are in both validation and test, such as 'x39'"),
    (NoTest, "splits", "test has no prompts"),
    (NoPrompts, "splits", "train has no prompts"),
    (Twins, "splits", "test has two prompts of one id"),
    (Flat, "normaliser", "deviation [1.0, 0.0]"),
    (
        OneScore,
        "normaliser",
        "score returns an array of shape (10,) for 10 samples and 2 objectives",
    ),
    (OneMoment, "normaliser", "has 1 means and 1 deviations"),
    (Restless, "rebuilding", "the start policy differs"),
    (GlobalBuild, "rebuilding", "torch's global generator changed"),
    (NotAtStart, "start policy", "a soup of an untrained Banks is"),
    (StartDrifts, "start policy", "with trained banks, Control.start is"),
    (DrawsGlobally, "sampling", "sampling draws from torch's global generator"),
    (DrawsGlobally, "sampling", "the same seed gave different samples"),
    (SeedForgotten, "sampling", "another seed gave the same samples"),
    (SeedForgotten, "sampling", "another sample number gave the same sample"),
    (NoiseByPlace, "common random numbers", "sample depends on the order of a batch"),
    (NoiseByPlace, "common random numbers", "sample depends on the size of a batch"),
    (ScoredWarm, "log probs", "they differ by up to"),
    (RowsMixed, "row independence", "nats with the controls of other rows"),
    (NoGradient, "row independence", "log_probs has no gradient in the banks"),
    (DriftsAtStart, "drift", "the start policy is 1 nats from itself"),
    (OneMeasure, "extra measures", "extra_measures gives 'length' with shape (1, 1) for 2 control"),
    (OneScore, "scores", "score returns ndarray of shape (10,) for 10 samples"),
    (ExitScore, "scores", "stopped by SystemExit: sys.exit(6) was called"),
    (Unscored, "scores", "8 of 10 start samples have no score"),
    (NoisyScore, "scores", "the same samples score differently"),
    (WorstTooGood, "scores", "in reward_1, whose worst value is 5"),
    (Fragile, "odd samples", "stopped by ValueError: invalid literal for int()"),
    (Forgetful, "recall", "recalled samples score differently"),
    (Partial, "recall", "describe keeps 9 of 10 samples"),
    (Promises, "feedback", "preference is declared but refused"),
    (Indifferent, "feedback", "preference: a step changes nothing"),
    (Indifferent, "preference lists", "labels are negative, missing, or all 0"),
    (WrongStart, "preference lists", "up to 1 nats from the start policy's"),
    (UnevenLists, "preference lists", "the same generator gave different lists"),
    (NoOracle, "exact", "a preference prefers another's point to its own"),
    (LowOracle, "exact", "the start policy beats the oracle"),
]

NOTES: list[tuple[type, str, str]] = [
    (Elsewhere, "normaliser", "the start policy's scores average"),
]
