"""Plan of a cell: its classes and options, and the digest of every stage."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from paretosteer import method_outputs
from paretosteer.cells.cell_name import IDENTITY_LENGTH, cell_name, cell_title
from paretosteer.cells.state import State
from paretosteer.config import options
from paretosteer.config.schema import Budget, CellConfig, Plugin
from paretosteer.errors import UsageError
from paretosteer.interfaces import Array
from paretosteer.plugins import registry, single_files
from paretosteer.plugins.in_use import kind_versions, plugin_files, used
from paretosteer.storage.digest import chain, digest

# Columns beside those of the objectives in `scores.parquet`, `drift.parquet`, `training.csv`, the
# curves of trackers, and `load_scores`.
RESERVED = {
    *("point", "prompt_id", "sample", "step", "phase", "loss"),
    *("kl", "entropy", "tokens", "tokens_per_second", "seconds", "start_nll"),
    *("path", "benchmark", "model", "method", "variant", "seed", "fold"),
}

# Raised when the meaning of a stage's output changes.
VERSIONS = {"train": "2", "sample": "1", "score": "1"}


@dataclass(frozen=True)
class CellPlan:
    """One cell before it runs: names looked up, options checked, digests computed."""

    config: CellConfig
    method_class: Any
    method_options: Any
    benchmark_class: Any
    benchmark_options: Any
    model_key: str

    @classmethod
    def of(cls, config: CellConfig) -> CellPlan:
        """Look up method and benchmark; UsageError where a name or an option is wrong.

        The plan's `config` has the benchmark's defaults filled in, so that a rerun does not depend
        on them.
        """
        method = registry.load("methods", config.method.name)
        return cls.of_classes(config, method, registry.load("benchmarks", config.benchmark.name))

    @classmethod
    def of_classes(cls, config: CellConfig, method: Any, benchmark: Any) -> CellPlan:
        """Plan for these classes, whatever is registered under their names."""
        chosen = options.build(method.Options, config.method.values, "method")
        world = options.build(benchmark.Options, config.benchmark.values, "benchmark")
        own = benchmark.model_defaults(world, method.changed_model(chosen, config.model))
        filled = options.left_open(chosen, own)
        options.check_effect(chosen.model_copy(update=filled), own, "method")
        config = config.model_copy(
            update={
                "method": config.method.model_copy(update=filled),
                "budget": _budget(config, benchmark.steps),
                "dtype": _dtype(config, benchmark),
            }
        )
        return cls(
            config,
            method,
            chosen.model_copy(update=filled),
            benchmark,
            world,
            benchmark.model_key(config, world),
        )

    @cached_property
    def train_digest(self) -> str:
        """Digest of everything that training depends on."""
        c = self.config
        untrained = {"test_prompts", "test_samples", "name", "eval_rows", "checks"}
        untrained |= {"embedded_steps"}  # in the model's key
        return chain(
            "train",
            {
                "method": {"name": c.method.name, **options.content(self.method_options)},
                "benchmark": {"name": c.benchmark.name, **options.content(self.benchmark_options)},
                "budget": {k: v for k, v in c.budget.model_dump().items() if k not in untrained},
                "seed": c.seed,
                "dtype": c.dtype,
            }
            | ({"engine": c.engine.of_training} if c.engine.of_training else {}),
            {"model": self.model_key}
            | ({"method": self.content_key} if self.content_key else {})
            | ({"shared": self.shared.train_digest} if self.shared else {})
            | plugin_files(used(c)),
            {"train": VERSIONS["train"]}
            | {"method": self.method_class.version, "benchmark": self.benchmark_class.version}
            | {f"objective {name}": version for name, version in self.objectives.items()}
            | kind_versions(c),
        )

    @cached_property
    def digests(self) -> dict[str, str]:
        """Digest of each stage: covers exactly what its output depends on, chained."""
        budget = self.config.budget
        sample = chain(
            "sample",
            {
                "preferences": self.grid_content,
                "test_prompts": budget.test_prompts,
                "test_samples": budget.test_samples,
                **({} if self.config.evaluation.common_noise else {"common_noise": False}),
            }
            | ({} if self.config.engine.name == "native" else {"engine": self.config.engine.name}),
            {"train": self.train_digest},
            {"sample": VERSIONS["sample"]},
        )
        score = chain(
            "score",
            {"checks": budget.checks},  # they decide how many samples may stay unscored
            {"sample": sample},
            {"score": VERSIONS["score"]},
        )
        return {"train": self.train_digest, "sample": sample, "score": score}

    @cached_property
    def shared(self) -> CellPlan | None:
        """Plan of the cell whose training this one starts from, if its method names one."""
        if (named := self.method().shared_training()) is None:
            return None
        name, values = named
        method = Plugin.model_validate({"name": name, **values})
        return CellPlan.of(self.config.model_copy(update={"method": method}))

    @cached_property
    def content_key(self) -> str | None:
        """Digest of the files that the method's options name, if they name any."""
        key: str | None = self.method_class.content_key(self.method_options)
        return key

    @cached_property
    def grid_content(self) -> dict[str, Any]:
        """Everything that the preferences to evaluate depend on."""
        return self.config.preferences.content(len(self.objectives))

    @cached_property
    def objectives(self) -> dict[str, str]:
        """Version of every objective, by name, in their order."""
        return dict(self.benchmark_class.objective_versions(self.benchmark_options))

    @cached_property
    def data(self) -> list[str]:
        """Amounts of the benchmark's data, one line each."""
        return list(self.benchmark_class.describe_data(self.benchmark_options))

    @cached_property
    def preparation(self) -> str:
        """Digest of everything from which the benchmark is built, and which cells may share."""
        other = {"method", "preferences", "tracker", "engine", "seed", "sweep_dir", "overwrite"}
        setting = self.config.model_dump(mode="json", exclude=other)
        return digest({"model_key": self.model_key, **setting})

    @property
    def identity(self) -> str:
        """Training digest, shortened: names the cell's folder."""
        return self.train_digest[:IDENTITY_LENGTH]

    @property
    def folder(self) -> Path:
        """Path of the cell's folder."""
        return cell_folder(self.config, self.identity)

    @property
    def cached_stages(self) -> list[str]:
        """Stages that need not run again."""
        return self.state.finished(self.digests)

    @property
    def state(self) -> State:
        """Finished stages, read from the folder now."""
        return State(self.folder)

    @property
    def steps(self) -> int:
        """Largest number of optimiser steps that training may take."""
        assert self.config.budget.steps is not None  # filled in by `of`
        name, cap = self.config.method.name, self.config.budget.steps
        return method_outputs.total_steps(name, self.method(), cap, len(self.objectives))

    @property
    def sampled_rows(self) -> int:
        """Approximate number of samples of its evaluation."""
        budget, count = self.config.budget, len(self.objectives)
        points = self.config.preferences.size(count) or 20
        return points * (budget.test_prompts or 100) * budget.test_samples

    @property
    def title(self) -> str:
        """Name of the cell by its progress bar and in trackers."""
        return cell_title(self.config.method.name, self.variant, self.config.seed)

    @cached_property
    def variant(self) -> str:
        """Label of the options that differ from the method's defaults."""
        changed = self.method_class.changed_model(self.method_options, self.config.model)
        own = self.benchmark_class.model_defaults(self.benchmark_options, changed)
        return options.variant(self.method_options, own)

    def method(self) -> Any:
        """A new instance of the method, neither trained nor loaded."""
        return self.method_class(self.method_options)

    def check_inputs(self) -> None:
        """UsageError where files that the digests cover have changed since the plan was made.

        A sweep plans its cells before the first one runs, which may be hours before the last.
        """
        single_files.check_data([offer.path for offer in used(self.config) if offer.path])
        model_key = self.benchmark_class.model_key(self.config, self.benchmark_options)
        content_key = self.method_class.content_key(self.method_options)
        grid = self.config.preferences.content(len(self.objectives))
        given = (self.model_key, self.content_key, self.grid_content)
        if (model_key, content_key, grid) != given:
            raise UsageError(
                f"{self.folder.name}: the files of its model, data, method or preferences have "
                "changed since the cell was planned; run the command again"
            )

    def grid(self) -> Array:
        """Preferences to evaluate, (k, m)."""
        return self.config.preferences.points(len(self.objectives))


def _budget(config: CellConfig, steps: Mapping[str, int]) -> Budget:
    """Budget with its number of steps, by default the benchmark's for a budget of that name."""
    budget = config.budget
    if budget.steps is None and budget.name not in steps:
        raise UsageError(
            f"budget.steps: required, since {config.benchmark.name} has no default for the budget "
            f"{budget.name!r} (only for {', '.join(steps)})"
        )
    return budget.model_copy(update={"steps": budget.steps or steps[budget.name]})


def _dtype(config: CellConfig, benchmark: Any) -> str:
    """Precision with `auto` resolved, as digests, records and comparisons see it."""
    from paretosteer.runtime.devices import resolve_dtype

    if config.dtype == "auto" and benchmark.float32_only:
        return "float32"
    return resolve_dtype(config.dtype, config.device)


def cell_folder(config: CellConfig, identity: str) -> Path:
    """Path of the folder of a cell with this identity."""
    return config.folder / cell_name(config.seed, identity)


def reserved_names(objectives: Iterable[str]) -> set[str]:
    """Objectives that have the name of another column: fixed, or another objective's."""
    names = set(objectives)
    weights, judged = {f"w_{name}" for name in names}, {f"judged {name}" for name in names}
    return names & (RESERVED | weights | judged)


def plan_cell(config: CellConfig) -> CellPlan:
    """Plan one cell; UsageError if its configuration is invalid."""
    plan = CellPlan.of(config)
    if taken := reserved_names(plan.objectives):
        raise UsageError(
            f"benchmark: an objective is called {min(taken)!r}, which is a reserved column of "
            "scores, weights and logs; rename the objective"
        )
    plan.benchmark_class.check_engine(plan.config)
    if kind := getattr(plan.method_options, "feedback", None):
        registry.load("feedback", kind)  # raises for an unknown name
    plan.method().check(len(plan.objectives))
    _ = plan.data  # raises where there are too few
    _ = plan.steps  # raises unless it is a whole number
    _ = plan.content_key  # raises where the files that it digests cannot be used
    if config.preferences.name not in ("lattice", "random"):
        plan.grid()  # raises where a file or a published grid has other objectives
    return plan
