"""Methods that are broken, each in one way, and one that is sound."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import torch

from paretosteer.config.options import BaseOptions, option
from paretosteer.errors import UsageError
from paretosteer.method import Method, TrainingOptions
from paretosteer.methods.cos_dpo import COSDPO
from paretosteer.methods.rewarded_soup import RewardedSoup
from paretosteer.policies.control import Control
from paretosteer.training.draws import Draws
from paretosteer.training.feedback import Expectation
from paretosteer.training.trainer import unit


class Sound(RewardedSoup):
    """Nothing is wrong with it."""


# -- the class ------------------------------------------------------------------------------


class NoMethod:
    version = "1"

    class Options(BaseOptions):
        pass


class NoControl(Method):
    Options = TrainingOptions

    def conditioning(self, objectives):
        return None

    def train(self, benchmark, trainer):
        pass


class NumberedVersion(RewardedSoup):
    version = 1


class NoDials(RewardedSoup):
    def control(self, preferences):
        return Control.soup(preferences)


class DialsAttribute(RewardedSoup):
    dials = {"reach": 0.0}  # noqa: RUF012 (the mistake)


class DialsProperty(RewardedSoup):
    @property
    def dials(self):
        return {"reach": 0.0}


class NotesMethod(RewardedSoup):
    def notes(self):
        return ()


class ContentKeyOfInstances(RewardedSoup):
    def content_key(self, options):
        return None


class ExemptMethod(RewardedSoup):
    def exempt(self):
        return True


class PointsWithoutGrid(RewardedSoup):
    def points(self):
        return []


class ListsDials(RewardedSoup):
    def dials(self):
        return ["reach"]


class PlainOptions(RewardedSoup):
    class Options:
        rank = 8


class NoDefault(RewardedSoup):
    class Options(BaseOptions):
        rank: int


class NoHelp(RewardedSoup):
    class Options(TrainingOptions):
        feedback: str = "reward"
        merge: str = option("sum", "as it is")


class WrongDefault(RewardedSoup):
    class Options(RewardedSoup.Options):
        share: float = option("half", "a share")


class TakesAnything(RewardedSoup):
    class Options(RewardedSoup.Options):
        schedule: object = option(None, "whatever")


# -- training -------------------------------------------------------------------------------


class NoWholeSteps(RewardedSoup):
    def total_steps(self, budget, objectives):
        return budget / 3


class WordForSteps(RewardedSoup):
    def total_steps(self, budget, objectives):
        return "many"


class NoPoints(RewardedSoup):
    def points(self, grid):
        return []


class OtherGrid(RewardedSoup):
    def points(self, grid):
        return super().points(grid)[1:]


class UnnamedDial(RewardedSoup):
    def points(self, grid):
        points = super().points(grid)
        return [*points, replace(points[0], dials={"heat": 2.0})]


class Stops(RewardedSoup):
    def train(self, benchmark, trainer):
        raise RuntimeError("out of ideas\nand of lines")


class Exits(RewardedSoup):
    def train(self, benchmark, trainer):
        raise SystemExit(3)


class NoPolicy(RewardedSoup):
    def train(self, benchmark, trainer):
        self.bind(benchmark.objectives)


class Greedy(RewardedSoup):
    def train(self, benchmark, trainer):
        trainer.steps *= 3
        super().train(benchmark, trainer)


class Declares(RewardedSoup):
    def total_steps(self, budget, objectives):
        return 2 * budget


class Idle(RewardedSoup):
    def train(self, benchmark, trainer):
        trainer.steps //= 2
        super().train(benchmark, trainer)


class OwnLoop(RewardedSoup):
    def train(self, benchmark, trainer):
        super().train(benchmark, trainer)
        optimiser = torch.optim.SGD(self.policy.parameters(), lr=0.0)
        for p in self.policy.parameters():
            p.grad = torch.ones_like(p)
        optimiser.step()


class ByHand(RewardedSoup):
    def total_steps(self, budget, objectives):
        return 0

    def train(self, benchmark, trainer):
        self.build_policy(benchmark, trainer.seed)
        with torch.no_grad():
            for i, p in enumerate(self.policy.parameters()):
                p += i + trainer.seed + 1.0


class Unseeded(RewardedSoup):
    def train(self, benchmark, trainer):
        generator = np.random.default_rng()
        trainer.rng = lambda phase: generator
        super().train(benchmark, trainer)


class OneSeed(RewardedSoup):
    def train(self, benchmark, trainer):
        trainer.seed = 7
        super().train(benchmark, trainer)


class GlobalDraw(RewardedSoup):
    def train(self, benchmark, trainer):
        np.random.rand()
        super().train(benchmark, trainer)


class Sets(RewardedSoup):
    def train(self, benchmark, trainer):
        super().train(benchmark, trainer)
        torch.use_deterministic_algorithms(True)


class OwnGenerator(RewardedSoup):
    """Deterministic, but cannot be resumed after an interruption."""

    def train(self, benchmark, trainer):
        self.build_policy(benchmark, trainer.seed)
        own = np.random.default_rng(trainer.seed)
        trainer.fit(
            "all",
            self.policy,
            self.feedback(benchmark, trainer, "reward"),
            draw=lambda rng, n: Draws(own.dirichlet(np.ones(self.m), size=n)),
            control=lambda draws: Control.soup(draws.weights),
            parameters=self.policy.parameters(),
            steps=trainer.steps,
            optimiser=self.options.learning_rate,
        )


class StartMoves(RewardedSoup):
    def train(self, benchmark, trainer):
        super().train(benchmark, trainer)
        table = self.policy.table
        table.base = table.base + torch.arange(table.base.shape[1])


class OwnFeedback(RewardedSoup):
    def feedback(self, benchmark, trainer, kind):
        return Expectation(benchmark, self.options.kappa)


# -- checkpoints ----------------------------------------------------------------------------


class Pickles(RewardedSoup):
    def save(self, folder: Path):
        super().save(folder)
        torch.save(self.policy.state(), folder / "policy.pt")


class SavesNothing(RewardedSoup):
    def save(self, folder):
        pass


class NoJson(RewardedSoup):
    def train(self, benchmark, trainer):
        super().train(benchmark, trainer)
        self.selection["scale"] = np.ones(2)


class Forgets(RewardedSoup):
    def train(self, benchmark, trainer):
        super().train(benchmark, trainer)
        self.scale = 2.0

    def control(self, preferences, dials=None):
        return Control.soup(getattr(self, "scale", 1.0) * np.asarray(preferences))


class LoadsOther(RewardedSoup):
    def load(self, folder, benchmark):
        super().load(folder, benchmark)
        with torch.no_grad():
            self.policy.parameters()[0].zero_()


# -- controls -------------------------------------------------------------------------------


class OverTheBatch(RewardedSoup):
    def control(self, preferences, dials=None):
        mu = np.asarray(preferences)
        return Control.soup(mu - mu.mean(axis=0))


class Remembers(RewardedSoup):
    asked = 0

    def control(self, preferences, dials=None):
        self.asked += 1
        return Control.soup(np.asarray(preferences) / self.asked)


class Overwrites(RewardedSoup):
    def control(self, preferences, dials=None):
        preferences /= preferences.max(axis=1, keepdims=True)
        return Control.soup(preferences)


class Logarithm(RewardedSoup):
    def control(self, preferences, dials=None):
        with np.errstate(divide="ignore"):
            return Control.soup(np.log(preferences))


class RowShort(RewardedSoup):
    def control(self, preferences, dials=None):
        return replace(Control.soup(preferences), rows=len(preferences) - 1)


class PlainArray(RewardedSoup):
    def control(self, preferences, dials=None):
        return np.asarray(preferences)


class SharedDial(RewardedSoup):
    def dials(self):
        return {"reach": 0.0}

    def control(self, preferences, dials=None):
        reach = min([row.get("reach", 1.0) for row in dials or []], default=1.0)
        return Control.soup(2 * reach * np.asarray(preferences))


class LearnsByAnswering(RewardedSoup):
    def control(self, preferences, dials=None):
        with torch.no_grad():
            self.policy.parameters()[0].mul_(1.5)
        return Control.soup(preferences)


class Backwards(RewardedSoup):
    def control(self, preferences, dials=None):
        return Control.soup(np.asarray(preferences)[:, ::-1].copy())


class TakesAnyPreference(RewardedSoup):
    def steer(self, preferences, dials=None):
        return self.control(np.nan_to_num(np.atleast_2d(preferences))[:, : self.m], dials)


class SeveralLines(RewardedSoup):
    def steer(self, preferences, dials=None):
        try:
            return super().steer(preferences, dials)
        except UsageError as error:
            raise UsageError(f"{error}\nsee above") from None


class DeafOption(RewardedSoup):
    """An option that nothing reads."""

    class Options(RewardedSoup.Options):
        temperature: float = option(1.0, "of nothing")


class TwoOnly(RewardedSoup):
    """Coefficients of the first two objectives."""

    def control(self, preferences, dials=None):
        first = np.asarray(preferences)[:, 0]
        return Control.soup(np.stack([first, 1 - first], axis=1))


METHODS: list[tuple[type, str, str]] = [
    (NoMethod, "interface", "of paretosteer.method.Method"),
    (NoControl, "interface", "does not define control"),
    (NumberedVersion, "interface", "NumberedVersion has no version"),
    (NoDials, "interface", "control cannot be called as the package does"),
    (DialsAttribute, "interface", "dials is an attribute (dict), but the package calls it"),
    (DialsProperty, "interface", "dials is a property, but the package calls it"),
    (NotesMethod, "interface", "notes is a method, but the package reads it without calling it"),
    (ContentKeyOfInstances, "interface", "content_key is a method of instances"),
    (ExemptMethod, "interface", "exempt is a method, but the package reads it without calling it"),
    (PointsWithoutGrid, "interface", "points cannot be called as the package does"),
    (ListsDials, "planning", "dials returns ['reach']"),
    (PlainOptions, "options and help", "Options is <class"),
    (NoDefault, "options and help", "option rank has no default"),
    (NoHelp, "options and help", "option feedback has no help"),
    (WrongDefault, "options and help", "the default of share is refused"),
    (TakesAnything, "wrong options", "method.schedule takes anything"),
    (NoWholeSteps, "planning", "total_steps returns 13.3"),
    (WordForSteps, "planning", "method 'WordForSteps': total_steps returns 'many'"),
    (NoPoints, "planning", "method 'NoPoints': points returns []"),
    (OtherGrid, "planning", "points does not begin with the grid"),
    (UnnamedDial, "planning", "points use the dial 'heat'"),
    (Stops, "training", "stopped by RuntimeError: out of ideas (broken_methods.py, line"),
    (Exits, "training", "stopped by SystemExit: sys.exit(3) was called (broken_methods.py, line"),
    (NoPolicy, "training", "train builds no policy"),
    (Greedy, "budget", "took 120 steps but declares 40"),
    (Declares, "budget", "declares 80 optimiser steps under a cap of 40"),
    (OwnLoop, "budget", "optimisers took 41 steps, 40 are recorded"),
    (ByHand, "budget", "parameters changed without a recorded step"),
    (Unseeded, "determinism", "the same seed gave a different"),
    (OneSeed, "determinism", "another seed gave the same tensors"),
    (GlobalDraw, "global state", "NumPy's global generator changed"),
    (Sets, "global state", "torch's deterministic algorithms changed"),
    (OwnGenerator, "resuming", "differs after an interruption"),
    (StartMoves, "start policy", "the start policy moved by up to"),
    (OwnFeedback, "unsupported feedback", "trains on a benchmark that declares no feedback"),
    (Pickles, "save and load", "writes policy.pt"),
    (SavesNothing, "save and load", "method 'SavesNothing': save does not write method.json"),
    (NoJson, "save and load", "selection is not JSON"),
    (Forgets, "save and load", "a loaded method gives different controls"),
    (LoadsOther, "save and load", "differs after loading"),
    (OverTheBatch, "controls", "has another control alone than in a batch"),
    (Remembers, "controls", "a second call gives a different control"),
    (Overwrites, "controls", "control changes the preferences passed to it"),
    (Logarithm, "controls", "a control is not finite"),
    (RowShort, "controls", "9 preferences gave [8, 9] rows"),
    (PlainArray, "controls", "control returns ndarray"),
    (SharedDial, "dials", "the dial reach of one row changes another row"),
    (LearnsByAnswering, "controls train nothing", "changed when controls were computed"),
    (Backwards, "orientation", "standard units worse at its own end"),
    (
        DeafOption,
        "options",
        "temperature has no effect, but each of its values makes a separate row",
    ),
    (TwoOnly, "three objectives", "stopped by"),
    (TakesAnyPreference, "wrong preferences", "steer accepts weights that sum to 2"),
    (TakesAnyPreference, "wrong preferences", "steer accepts an unknown dial"),
    (SeveralLines, "wrong preferences", "is refused in several lines"),
]


class Hurried(COSDPO):
    """Learns too little to tell its ends apart."""

    def train(self, benchmark, trainer):
        trainer.steps //= 8
        super().train(benchmark, trainer)


class DeafDial(RewardedSoup):
    """Names a dial and does not listen to it."""

    def dials(self):
        return {"reach": 0.0}


class SeesTheDraw(RewardedSoup):
    """Its own draw of weights, from the generator that it is given."""

    def train(self, benchmark, trainer):
        self.build_policy(benchmark, trainer.seed)
        for i, steps in enumerate(trainer.split(self.m)):
            trainer.fit(
                f"bank {i}",
                self.policy,
                self.feedback(benchmark, trainer, "reward"),
                draw=lambda rng, n, i=i: Draws(np.tile(unit(self.m, i), (n, 1))),
                control=lambda draws, i=i: Control.bank([i] * len(draws.weights)),
                parameters=self.policy.parameters(i),
                steps=steps,
                optimiser=self.options.learning_rate,
            )


NOTES: list[tuple[type, str, str]] = [
    (Idle, "budget", "leaves 20 of 40 optimiser steps unused"),
    (Hurried, "orientation", "pairs after 5 steps"),
    (DeafDial, "dials", "the dial reach changes nothing"),
]
