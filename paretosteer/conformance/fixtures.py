"""Fixtures of the checks: a plug-in's class, and objects built from it as a cell would."""

from __future__ import annotations

import inspect
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

import numpy as np
import torch
from hydra.core.override_parser.overrides_parser import OverridesParser
from torch import Tensor
from torch.optim.optimizer import register_optimizer_step_post_hook

from paretosteer import benchmark_outputs
from paretosteer.cells.plan import CellPlan
from paretosteer.config.schema import CellConfig, Plugin
from paretosteer.config.setting import Setting
from paretosteer.errors import (
    PLUGIN_ERRORS,
    PromiseError,
    UnsupportedError,
    UsageError,
    first_line,
)
from paretosteer.interfaces import Array
from paretosteer.method import Method
from paretosteer.plugins import registry
from paretosteer.policies.conditioning import Banks, Unconditioned
from paretosteer.policies.control import Control
from paretosteer.policies.protocols import Policy
from paretosteer.runtime.process_state import changes_since, process_state
from paretosteer.runtime.progress import say
from paretosteer.simplex import random_points
from paretosteer.sweeps.compose import compose_cell
from paretosteer.training.trainer import Trainer

SEED = 0
BANKS = Banks(2, rank=4, alpha=4.0)
PROMPTS = 5  # training prompts whose samples a benchmark is checked on
OFF_GRID = 6  # random preferences that a method is checked on
SMOKE = ["budget=smoke", "dtype=float32"]  # lower precision would differ from batch to batch
# A step of the bandit takes a millisecond: there are enough of them to see where a method steers.
BANDIT = ["benchmark=bandit", *SMOKE, "budget.steps=100"]
PLACEHOLDER = {"method": "start", "benchmark": "bandit"}  # composed in place of a class


class NotChecked(Exception):
    """A check does not apply, or needs what another check has already reported as missing."""


@dataclass(frozen=True)
class Candidate:
    """Class of a method or benchmark, registered under `name` or passed directly."""

    group: registry.Group
    name: str
    cls: Any
    registered: bool

    @classmethod
    def of(cls, group: registry.Group, which: str | type) -> Candidate:
        """Look up a name, or take a class; UsageError if the name is unknown or broken."""
        if isinstance(which, str):
            return cls(group, which, registry.load(group, which), registered=True)
        return cls(group, getattr(which, "name", which.__name__), which, registered=False)

    @property
    def section(self) -> str:
        """Its section of the configuration: `method` or `benchmark`."""
        return registry.singular(self.group)

    @property
    def source(self) -> str:
        """File that defines it."""
        try:
            return inspect.getsourcefile(self.cls) or ""
        except TypeError:
            return ""

    def compose(self, overrides: Sequence[str]) -> CellConfig:
        """Configuration of a cell with it; UsageError where the overrides are wrong."""
        if self.registered:
            return compose_cell([f"{self.section}={self.name}", *overrides])
        own = [word for word in overrides if word.startswith(f"{self.section}.")]
        others = [word for word in overrides if word not in own]
        config = compose_cell([f"{self.section}={PLACEHOLDER[self.section]}", *others])
        parsed = OverridesParser.create().parse_overrides(own)
        values = {each.key_or_group.partition(".")[2]: each.value() for each in parsed}
        return config.model_copy(update={self.section: Plugin(name=self.name, **values)})


@dataclass
class TrainingRun:
    """A trained method with the side effects of its training."""

    method: Method
    trainer: Trainer
    optimiser_steps: int  # of every optimiser in the process
    disturbed: list[str]  # process-wide state that differs from before

    @property
    def state(self) -> dict[str, Tensor]:
        """Copies of the trained tensors by name."""
        return {name: value.clone() for name, value in self.method.policy.state().items()}


class MethodFixture:
    """A method on a benchmark, trained once, on first use, for all checks.

    Raises
    ------
    UsageError
        If the overrides do not fit the method, or its benchmark cannot be built.

    """

    def __init__(self, candidate: Candidate, overrides: Sequence[str]):
        self._candidate, self._overrides = candidate, overrides
        named = any(word.startswith("benchmark=") for word in overrides)
        config = candidate.compose([*(SMOKE if named else BANDIT), *overrides])
        self.name = config.method.name
        benchmark_class = registry.load("benchmarks", config.benchmark.name)
        self.plan = CellPlan.of_classes(config, candidate.cls, benchmark_class)
        self.setting = Setting.of(self.plan.config, self.plan.model_key, say)
        try:
            self.benchmark = benchmark_class(self.plan.benchmark_options, self.setting)
            for split in benchmark_outputs.NEEDED:
                benchmark_outputs.prompts(self.benchmark, split)
            _ = self.benchmark.normaliser  # now, so that its sampling is not taken for training
        except (UsageError, PromiseError):
            raise
        except PLUGIN_ERRORS as error:
            name = config.benchmark.name
            raise UsageError(
                f"benchmark: {name} cannot be built ({type(error).__name__}: "
                f"{first_line(error)}); see `paretosteer check benchmark {name}`"
            ) from error
        self.m = len(self.benchmark.objectives)
        assert self.plan.config.budget.steps is not None  # a plan fills in the benchmark's
        self.cap = self.plan.config.budget.steps

    @property
    def silent_setting(self) -> Setting:
        """Setting under which trainings print nothing."""
        return replace(self.setting, say=lambda line: None)

    def with_three_objectives(self, steps: int) -> MethodFixture:
        """The method on a bandit with three objectives, trained for a few steps."""
        own = [word for word in self._overrides if word.startswith("method.")]
        words = [*own, "benchmark=bandit", "benchmark.objectives=3", f"budget.steps={steps}"]
        fixture = MethodFixture(self._candidate, words)
        if isinstance(fixture.outcome, UnsupportedError):
            fixture = MethodFixture(self._candidate, [*words, "benchmark.policy=mlp"])
        return fixture

    def new_method(self) -> Method:
        """A method that is neither trained nor loaded."""
        method: Method = self.plan.method()
        return method

    def train(self, seed: int = SEED, **trainer_arguments: Any) -> TrainingRun:
        """Train a new method."""
        method = self.new_method()
        trainer = Trainer.under(self.silent_setting, seed=seed, **trainer_arguments)
        before, steps = process_state(), []
        hook = register_optimizer_step_post_hook(lambda *_: steps.append(1))
        try:
            method.train(self.benchmark, trainer)
        finally:
            hook.remove()
        return TrainingRun(method, trainer, len(steps), changes_since(before))

    @cached_property
    def outcome(self) -> TrainingRun | Exception | SystemExit:
        """Training run that all checks share, or the error that ended it."""
        try:
            return self.train()
        except PLUGIN_ERRORS as error:  # reported by the check of training
            return error

    @property
    def trained(self) -> TrainingRun:
        """Training run that all checks share; NotChecked if training failed."""
        if not isinstance(self.outcome, TrainingRun):
            raise NotChecked("training failed") from self.outcome
        return self.outcome

    @property
    def preferences(self) -> Array:
        """Vertices, the centre and random points of the simplex, (k, m); a new array each time."""
        centre = np.full((1, self.m), 1 / self.m)
        return np.vstack([np.eye(self.m), centre, random_points(self.m, OFF_GRID, SEED)])

    @cached_property
    def samples(self) -> Any:
        """One sample of the start policy per preference, (k,) rows."""
        prompts = self.benchmark.prompts("train")
        rows = [prompts[i % len(prompts)] for i in range(len(self.preferences))]
        start = self.benchmark.start_policy(Unconditioned(), SEED)
        return start.sample(rows, Control.start(len(rows)), SEED, [0] * len(rows))


class BenchmarkFixture:
    """A benchmark, with a few samples of its start policy.

    Raises
    ------
    UsageError
        If the overrides do not fit the benchmark.

    """

    def __init__(self, candidate: Candidate, overrides: Sequence[str]):
        config = candidate.compose(["method=start", *SMOKE, *overrides])
        start = registry.load("methods", "start")
        self.plan = CellPlan.of_classes(config, start, candidate.cls)
        self.setting = Setting.of(self.plan.config, self.plan.model_key, say)
        self.benchmark = self.build()
        self.m = len(self.benchmark.objectives)

    def build(self) -> Any:
        """Build a new benchmark."""
        return self.plan.benchmark_class(self.plan.benchmark_options, self.setting)

    @cached_property
    def start(self) -> Policy:
        """Start policy without any conditioning."""
        policy: Policy = self.benchmark.start_policy(Unconditioned(), SEED)
        return policy

    @cached_property
    def prompts(self) -> list[Any]:
        """A few training prompts, each twice, (rows,)."""
        return [p for p in self.benchmark.prompts("train")[:PROMPTS] for _ in range(2)]

    @property
    def numbers(self) -> list[int]:
        """Sample numbers of the rows: 0 and 1 for each prompt."""
        return [0, 1] * (len(self.prompts) // 2)

    @cached_property
    def samples(self) -> Any:
        """Start policy's samples, (rows,)."""
        return self.start.sample(self.prompts, Control.start(len(self.prompts)), SEED, self.numbers)

    def untrained_banks(self) -> Policy:
        """A new policy with two banks; NotChecked if the benchmark supports none."""
        try:
            policy: Policy = self.benchmark.start_policy(BANKS, SEED)
        except UnsupportedError as reason:
            raise NotChecked(f"it does not support banks ({reason})") from None
        return policy

    def perturbed_banks(self) -> Policy:
        """A new policy with two banks, moved by noise as if they were trained."""
        policy, generator = self.untrained_banks(), torch.Generator().manual_seed(SEED)
        with torch.no_grad():
            for parameter in policy.parameters():
                noise = torch.randn(parameter.shape, generator=generator)
                parameter.add_(0.3 * noise.to(parameter))
        return policy
