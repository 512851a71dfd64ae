"""Base class of methods: options, a policy, points on its controls, save and load."""

from __future__ import annotations

import json
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Literal

from paretosteer.benchmark import Benchmark
from paretosteer.config import options
from paretosteer.config.options import BaseOptions, option
from paretosteer.config.schema import Model
from paretosteer.errors import UsageError, did_you_mean
from paretosteer.interfaces import Array, Point
from paretosteer.objective import Objective
from paretosteer.plugins import in_use, registry
from paretosteer.policies.conditioning import Conditioning
from paretosteer.policies.control import Control
from paretosteer.policies.protocols import Policy
from paretosteer.runtime.terminal import plural
from paretosteer.simplex import check
from paretosteer.storage.safetensors_only import read_tensors
from paretosteer.training.draws import Draw, Draws, fixed
from paretosteer.training.feedback import Feedback
from paretosteer.training.trainer import Trainer, unit

if TYPE_CHECKING:
    from torch.optim import Optimizer


# Kinds of feedback that read an option.
_REWARD = {"feedback": ("reward", "tchebycheff_reward")}
_LISTS = {
    "feedback": ("preference", "tchebycheff_preference", "reference_free", "margin_preference")
}
_PAIRS = {"feedback": (*_LISTS["feedback"], "online_pairs", "preference_contrast")}


class TrainingOptions(BaseOptions):
    """Options of every trained method; null where the default depends on the benchmark."""

    rank: int = option(8, "rank of each low-rank bank", least=1)
    alpha: float = option(8.0, "numerator of each bank's scale, alpha / rank", above=0)
    dropout: float = option(0.0, "dropout of the banks' inputs in training", least=0, most=0.9)
    learning_rate: float | None = option(
        None, "learning rate of Adam; null: the benchmark's", above=0
    )
    kappa: float | None = option(
        None,
        "coefficient of the KL to the start policy; null: the benchmark's",
        least=0,
        only=_REWARD,
    )
    epochs: int = option(
        1, "optimiser steps per batch; above 1 with PPO's clipping", least=1, only=_REWARD
    )
    clip: float = option(
        0.2,
        "clipping range of the probability ratio to the sampling policy",
        above=0,
        only=_REWARD,
        unless={"epochs": (1,)},
    )
    advantage: Literal["joint", "decoupled"] = option(
        "joint",
        "weight the rewards, then subtract the mean; or (GDPO) standardise each objective, then "
        "weight",
        only=_REWARD,
    )
    beta_dpo: float | None = option(
        None, "DPO's temperature; null: the benchmark's", above=0, only=_PAIRS
    )
    list_size: int | None = option(
        None,
        "candidates per comparison, 2 for pairs; null: the benchmark's",
        least=2,
        only=_LISTS,
    )
    labels: Literal["l1", "softmax"] | None = option(
        None,
        "labels of a list: its ratings divided by their sum (for sparse ratings) or their "
        "softmax (dense ratings); null: the benchmark's",
        only=_LISTS,
    )
    quantile: float = option(
        0.2,
        "fraction of start-model samples to imitate",
        above=0,
        most=1,
        only={"feedback": ("imitation",)},
    )


class Method(ABC):
    """A method: one training run whose policy can be steered to every preference.

    A subclass names its conditioning, trains through the trainer, and turns preferences into a
    control. `control` must depend on nothing but its arguments and what training left behind.
    """

    version: ClassVar[str] = "1"
    Options: ClassVar[type[BaseOptions]]
    exempt: bool = False  # from the budget's cap: an expensive reference, not a competitor
    cost_unknown: bool = False  # True if parts of the policy were trained elsewhere

    policy: Policy
    objectives: tuple[Objective, ...]

    def __init__(self, chosen: Any):
        self.options = chosen
        self.selection: dict[str, Any] = {}

    # -- what a method defines --------------------------------------------------------------

    @abstractmethod
    def conditioning(self, objectives: int) -> Conditioning:
        """Conditioning of the policy on a preference."""

    @abstractmethod
    def train(self, benchmark: Benchmark, trainer: Trainer) -> None:
        """Make `self.policy` and train it through `trainer.fit`."""

    @abstractmethod
    def control(
        self, preferences: Array, dials: Sequence[Mapping[str, float]] | None = None
    ) -> Control:
        """Turn preferences (k, m), and dials if the method has any, into k control rows."""

    def total_steps(self, budget: int, objectives: int) -> int:
        """Optimiser steps that `train` may take under a budget's cap."""
        return budget

    @classmethod
    def content_key(cls, options: Any) -> str | None:
        """Digest of the files that the options name; None if they name none.

        Made before anything is loaded. UsageError if a file cannot be used.
        """
        return None

    @classmethod
    def changed_model(cls, options: Any, start: Model) -> Model:
        """Model that the conditioning changes, and to which training defaults are fitted."""
        return start

    def start_policy(self, benchmark: Benchmark, conditioning: Conditioning, seed: int) -> Policy:
        """Untrained policy on this benchmark."""
        return benchmark.start_policy(conditioning, seed)

    def prepare(self, benchmark: Benchmark) -> None:  # noqa: B027 (a hook: most need nothing)
        """Raise UsageError if training on this benchmark is impossible; no file is written yet."""

    def dials(self) -> Mapping[str, float]:
        """Further dials of `control` by name, each with its lower bound, which is excluded."""
        return {}

    @property
    def notes(self) -> Sequence[str]:
        """Caveats to report with its figures, one sentence each."""
        return ()

    def turn_to(self, preference: Array) -> Control:
        """Do all that a new preference (1, m) needs before it is served, for timing."""
        return self.control(preference)

    def points(self, grid: Array) -> list[Point]:
        """Points to evaluate: the grid (k, m), then points that show further dials."""
        return [Point(tuple(mu)) for mu in grid.tolist()]

    def shared_training(self) -> tuple[str, Mapping[str, Any]] | None:
        """Name and options of the method whose training this one starts from; None: its own.

        Cells that name the same training share one checkpoint. The method then defines
        `train_from`, and `train` for where nothing can be shared.
        """
        return None

    def train_from(self, checkpoint: Path, benchmark: Benchmark, trainer: Trainer) -> None:
        """Build the trained policy from a checkpoint of the shared training."""
        raise NotImplementedError(f"{type(self).__name__} names a shared training")

    # -- what it can rely on ----------------------------------------------------------------

    def bind(self, objectives: tuple[Objective, ...]) -> None:
        """Set the objectives; UsageError if the options do not fit them."""
        self.objectives = objectives
        self.check(self.m)

    def build_policy(
        self, benchmark: Benchmark, seed: int, conditioning: Conditioning | None = None
    ) -> None:
        """Make the untrained policy under this method's conditioning."""
        changed = self.changed_model(self.options, benchmark.setting.model)
        own = benchmark.model_defaults(benchmark.options, changed)
        self.options = self.options.model_copy(update=options.left_open(self.options, own))
        self.bind(benchmark.objectives)
        conditioning = conditioning or self.conditioning(self.m)
        self.policy = self.start_policy(benchmark, conditioning, seed)

    def check(self, objectives: int) -> None:  # noqa: B027 (a hook: most methods refuse nothing)
        """Raise UsageError for options that do not fit this number of objectives."""

    def steer(
        self, preferences: object, dials: Sequence[Mapping[str, float]] | None = None
    ) -> Control:
        """Checked `control`: UsageError off the simplex or for an unknown dial."""
        mu = check(preferences, self.m)
        if dials is not None and len(dials) != len(mu):
            raise UsageError(
                f"dials: {len(dials)} given for {plural(len(mu), 'preference')}; give one each"
            )
        for row in dials or ():
            self.check_dials(row)
        return self.control(mu, dials)

    def check_dials(self, dials: Mapping[str, float], owner: str = "method") -> None:
        """Raise UsageError for an unknown dial of `owner` or a value out of its range."""
        known = self.dials()
        for name, value in dials.items():
            if name not in known:
                hint = did_you_mean(name, known) if known else "it has none"
                raise UsageError(f"dial: {name!r} is not a dial of this {owner}; {hint}")
            if not value > known[name]:
                raise UsageError(f"dial {name}: found {value:g}, expected above {known[name]:g}")

    @property
    def trained_parameters(self) -> int:
        """Number of weights that training changed."""
        return sum(p.numel() for p in self.policy.parameters() if p.requires_grad)

    @property
    def m(self) -> int:
        """Number of objectives."""
        return len(self.objectives)

    def conditioning_kind(self, name: str) -> type[Conditioning]:
        """Class of a registered conditioning; UsageError for an unknown name."""
        in_use.check_named("conditionings", name, self.options)
        kind: type[Conditioning] = registry.load("conditionings", name)
        return kind

    def feedback(self, benchmark: Benchmark, trainer: Trainer, kind: str) -> Feedback:
        """Feedback of a registered kind on this benchmark, under the method's options.

        Raises
        ------
        UnsupportedError
            If the benchmark cannot give it.
        UsageError
            If no such kind is registered, or a plug-in that the options do not name.

        """
        in_use.check_named("feedback", kind, self.options)
        registered: type[Feedback] = registry.load("feedback", kind)
        registered.check(benchmark)
        return registered.of(benchmark, self.options, trainer)

    def save(self, folder: Path) -> None:
        """Write the trained tensors (safetensors) and what was selected (JSON).

        A subclass that stores more calls this first.
        """
        from safetensors.torch import save_file

        folder.mkdir(parents=True, exist_ok=True)
        save_file(self.policy.state(), folder / "policy.safetensors")
        (folder / "method.json").write_text(json.dumps(self.selection, indent=2, sort_keys=True))

    def load(self, folder: Path, benchmark: Benchmark) -> None:
        """Restore what `save` wrote, on the benchmark that the method was trained on."""
        self.build_policy(benchmark, seed=0)
        self.selection = json.loads((folder / "method.json").read_text())
        self.policy.load_state(read_tensors(folder / "policy.safetensors"))

    def train_specialists(
        self, benchmark: Benchmark, trainer: Trainer, steps: Sequence[int] | None = None
    ) -> None:
        """Train bank i on objective i alone, one after the other, under the option `feedback`.

        `steps` (m,) are those of each; by default the remaining budget, shared evenly.
        """
        for i, own in enumerate(trainer.split(self.m) if steps is None else steps):
            feedback = self.feedback(benchmark, trainer, self.options.feedback)
            self.train_bank(i, f"bank {i}", unit(self.m, i), feedback, trainer, own)

    def train_policy(
        self,
        feedback: Feedback,
        trainer: Trainer,
        draw: Draw,
        control: Callable[[Draws], Control] | None = None,
    ) -> None:
        """Spend the whole budget on one policy for all preferences, on drawn scalarisations.

        `control` steers it in training; by default as the drawn preferences do at test time.
        """
        trainer.fit(
            "all preferences",
            self.policy,
            feedback,
            draw=draw,
            control=control or (lambda draws: self.control(draws.weights)),
            parameters=self.policy.parameters(),
            steps=trainer.steps,
            optimiser=self.options.learning_rate,
        )

    def train_bank(
        self,
        bank: int,
        phase: str,
        weights: Array,
        feedback: Feedback,
        trainer: Trainer,
        steps: int,
        optimiser: Optimizer | None = None,
    ) -> Optimizer:
        """Train one bank alone on one fixed scalarisation (m,): specialist, backbone or anchor."""
        return trainer.fit(
            phase,
            self.policy,
            feedback,
            draw=fixed(weights),
            control=lambda draws: Control.bank([bank] * len(draws.weights)),
            parameters=self.policy.parameters(bank),
            steps=steps,
            optimiser=optimiser or self.options.learning_rate,
            lead=self.objectives[int(weights.argmax())].name,
        )
