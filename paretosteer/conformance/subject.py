"""What is checked: a plug-in by name, planned and built as a cell would, on the smoke budget."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

import numpy as np
import torch
from torch import Tensor

from paretosteer import benchmark_outputs
from paretosteer.cells.plan import CellPlan
from paretosteer.config.setting import Setting
from paretosteer.conformance.finding import NotChecked
from paretosteer.conformance.plugin import PluginClass
from paretosteer.conformance.watch import changed, global_state, optimiser_steps
from paretosteer.errors import (
    PLUGIN_ERRORS,
    PromiseError,
    UnsupportedError,
    UsageError,
    first_line,
)
from paretosteer.interfaces import Array, Policy
from paretosteer.method import Method
from paretosteer.plugins import registry
from paretosteer.policies.conditioning import Banks, Unconditioned
from paretosteer.policies.control import Control
from paretosteer.runtime.progress import say
from paretosteer.simplex import random_points
from paretosteer.training.trainer import Trainer

SEED = 0
PROMPTS = 5  # of a benchmark's training prompts that its samples are checked on
BANKS = Banks(2, rank=4, alpha=4.0)
RANDOM = 6  # preferences off every grid
SMOKE = ["budget=smoke", "dtype=float32"]  # coarser numbers would differ from batch to batch
# A step takes a millisecond there, so there are enough of them to see where a dial turns.
EXACT = ["benchmark=bandit", *SMOKE, "budget.steps=100"]


@dataclass
class Training:
    """One training, and what it did beside."""

    method: Method
    trainer: Trainer
    optimiser_steps: int
    disturbed: list[str]  # global state that is not as it was

    @property
    def state(self) -> dict[str, Tensor]:
        """The trained tensors by name, apart from those that may still change."""
        return {name: value.clone() for name, value in self.method.policy.state().items()}


class MethodSubject:
    """A method on a benchmark: trained once, on demand, for all checks."""

    def __init__(self, plan: CellPlan):
        self.plan = plan
        self.setting = Setting.of(plan.config, plan.model_key, say)
        self.benchmark = _built(plan, self.setting)
        self.m = len(self.benchmark.objectives)

    @classmethod
    def of(cls, plugin: PluginClass, overrides: Sequence[str]) -> MethodSubject:
        """UsageError where the overrides do not fit the method or its benchmark."""
        chosen = any(word.startswith("benchmark=") for word in overrides)
        config = plugin.configure([*(SMOKE if chosen else EXACT), *overrides])
        world = registry.load("benchmarks", config.benchmark.name)
        return cls(CellPlan.of_classes(config, plugin.kind, world))

    @property
    def name(self) -> str:
        """What its configuration calls it."""
        return self.plan.config.method.name

    @property
    def cap(self) -> int:
        """The budget's optimiser steps."""
        assert self.plan.config.budget.steps is not None  # a plan fills in the benchmark's
        return self.plan.config.budget.steps

    def make(self) -> Method:
        """A new one, neither trained nor loaded."""
        method: Method = self.plan.method()
        return method

    def train(self, seed: int = SEED, **trainer: Any) -> Training:
        """Train a new one, under a trainer with these further arguments."""
        silent = replace(self.setting, say=lambda line: None)
        method, own = self.make(), Trainer.under(silent, seed=seed, **trainer)
        before = global_state()
        with optimiser_steps() as steps:
            method.train(self.benchmark, own)
        return Training(method, own, steps.count, changed(before))

    @cached_property
    def outcome(self) -> Training | Exception | SystemExit:
        """The training that all checks look at, or what stopped it."""
        try:
            return self.train()
        except PLUGIN_ERRORS as error:  # which is what the check of the training reports
            return error

    @property
    def trained(self) -> Training:
        """The training that all checks look at.

        Raises
        ------
        NotChecked
            Where it could not be trained.

        """
        if not isinstance(self.outcome, Training):
            raise NotChecked("it could not be trained") from self.outcome
        return self.outcome

    @property
    def probes(self) -> Array:
        """Preferences on and off the grid, (k, m), new each time: vertices, middle, random ones."""
        middle = np.full((1, self.m), 1 / self.m)
        return np.vstack([np.eye(self.m), middle, random_points(self.m, RANDOM, SEED)])

    @cached_property
    def samples(self) -> Any:
        """One sample of the start policy per probe, (k,) rows: what scores are compared on."""
        prompts = self.benchmark.prompts("train")
        rows = [prompts[i % len(prompts)] for i in range(len(self.probes))]
        start = self.benchmark.start_policy(Unconditioned(), SEED)
        return start.sample(rows, Control.start(len(rows)), SEED, [0] * len(rows))


class BenchmarkSubject:
    """A benchmark, built once on demand for all checks, and a second time for comparison."""

    def __init__(self, plan: CellPlan):
        self.plan = plan
        self.setting = Setting.of(plan.config, plan.model_key, say)
        self.world = self.build()

    @classmethod
    def of(cls, plugin: PluginClass, overrides: Sequence[str]) -> BenchmarkSubject:
        """UsageError where the overrides do not fit the benchmark."""
        config = plugin.configure(["method=start", *SMOKE, *overrides])
        start = registry.load("methods", "start")
        return cls(CellPlan.of_classes(config, start, plugin.kind))

    def build(self) -> Any:
        """A new one, with nothing kept from the last."""
        return self.plan.benchmark_class(self.plan.benchmark_options, self.setting)

    @property
    def m(self) -> int:
        """Number of objectives."""
        return len(self.world.objectives)

    @cached_property
    def start(self) -> Policy:
        """The start policy with nothing added."""
        policy: Policy = self.world.start_policy(Unconditioned(), SEED)
        return policy

    @cached_property
    def rows(self) -> tuple[list[Any], list[int]]:
        """A few training prompts, each twice, and the sample numbers of these rows."""
        prompts = self.world.prompts("train")[:PROMPTS]
        return [prompt for prompt in prompts for _ in range(2)], [0, 1] * len(prompts)

    @cached_property
    def samples(self) -> Any:
        """The start policy's samples of these rows."""
        prompts, numbers = self.rows
        return self.start.sample(prompts, Control.start(len(prompts)), SEED, numbers)

    def banked(self) -> Policy:
        """A new policy with two banks, untrained.

        Raises
        ------
        NotChecked
            In a world that takes no banks.

        """
        try:
            policy: Policy = self.world.start_policy(BANKS, SEED)
        except UnsupportedError as reason:
            raise NotChecked(f"it takes no banks ({reason})") from None
        return policy

    def moved(self) -> Policy:
        """One whose banks are not as they begin any more."""
        policy = self.banked()
        generator = torch.Generator().manual_seed(SEED)
        with torch.no_grad():
            for parameter in policy.parameters():
                noise = torch.randn(parameter.shape, generator=generator)
                parameter.add_(0.3 * noise.to(parameter))
        return policy


def _built(plan: CellPlan, setting: Setting) -> Any:
    """The benchmark that a method is checked on, measured; UsageError where it is itself broken."""
    try:
        benchmark = plan.benchmark_class(plan.benchmark_options, setting)
        for split in benchmark_outputs.NEEDED:
            benchmark_outputs.prompts(benchmark, split)
        _ = benchmark.normaliser  # sampling and cached training of its own are not the method's
    except (UsageError, PromiseError):
        raise
    except PLUGIN_ERRORS as error:
        name = plan.config.benchmark.name
        raise UsageError(
            f"benchmark: {name} cannot be built ({type(error).__name__}: {first_line(error)}); "
            f"see `paretosteer check benchmark {name}`"
        ) from error
    return benchmark
