"""What a cell is: its classes and options, the digest of every stage, and what is done already."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import Any

from paretosteer import options, preferences, registry
from paretosteer.cells import reading
from paretosteer.cells.config import Budget, CellConfig
from paretosteer.cells.files import write_json
from paretosteer.cells.record import as_written, sealed
from paretosteer.digest import chain, file_digest
from paretosteer.errors import UsageError
from paretosteer.interfaces import Array
from paretosteer.plugins.used import plugin_files, used

STAGES = ("train", "sample", "score")
STATE = "stages.json"  # digest and files of every finished stage

# Columns beside those of the objectives in `scores.parquet`, `drift.parquet` and `training.csv`.
RESERVED = {
    *("point", "prompt_id", "sample", "step", "phase", "loss"),
    *("kl", "entropy", "tokens", "seconds", "start_nll"),
}

# Raised when the meaning of a stage's output changes.
VERSIONS = {"train": "2", "sample": "1", "score": "1"}


@dataclass(frozen=True)
class CellPlan:
    """One cell before it runs: names looked up, options checked, digests made."""

    config: CellConfig
    method_class: Any
    method_options: Any
    benchmark_class: Any
    benchmark_options: Any
    model_key: str

    @classmethod
    def of(cls, config: CellConfig) -> CellPlan:
        """Look everything up; UsageError where a name or an option is wrong.

        What the configuration leaves to the benchmark is filled in: the plan's own `config` says
        everything, and running it again does not depend on a default.
        """
        method = registry.load("methods", config.method.name)
        return cls.of_classes(config, method, registry.load("benchmarks", config.benchmark.name))

    @classmethod
    def of_classes(cls, config: CellConfig, method: Any, benchmark: Any) -> CellPlan:
        """The plan of classes at hand, whatever is registered under their names."""
        chosen = options.build(method.Options, config.method.values, "method")
        world = options.build(benchmark.Options, config.benchmark.values, "benchmark")
        filled = options.left_open(chosen, benchmark.training_defaults(world))
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
            replace(chosen, **filled),
            benchmark,
            world,
            benchmark.model_key(config, world),
        )

    @cached_property
    def digests(self) -> dict[str, str]:
        """Digest of each stage: exactly what its output depends on, chained."""
        c = self.config
        budget = c.budget.model_dump()
        evaluation = {"test_prompts", "test_samples"}
        nothing = {"name", "eval_rows", "checks", "embedded_steps"}  # the model's key has the last
        training = {k: v for k, v in budget.items() if k not in evaluation | nothing}
        train = chain(
            "train",
            {
                "method": {"name": c.method.name, **options.content(self.method_options)},
                "benchmark": {"name": c.benchmark.name, **options.content(self.benchmark_options)},
                "budget": training,
                "seed": c.seed,
                "dtype": c.dtype,
            },
            {"model": self.model_key}
            | ({"method": self.content_key} if self.content_key else {})
            | plugin_files(used(c)),
            {"train": VERSIONS["train"]}
            | {"method": self.method_class.version, "benchmark": self.benchmark_class.version}
            | {f"objective {name}": version for name, version in self.objectives.items()},
        )
        grid = {"preferences": c.preferences.model_dump()}
        sample = chain(
            "sample",
            grid | {key: budget[key] for key in sorted(evaluation)},
            {"train": train},
            {"sample": VERSIONS["sample"]},
        )
        score = chain(
            "score",
            {"checks": c.budget.checks},  # they decide how many samples may stay unscored
            {"sample": sample},
            {"score": VERSIONS["score"]},
        )
        return {"train": train, "sample": sample, "score": score}

    @cached_property
    def content_key(self) -> str | None:
        """Digest of the files that the method's options name, if they name any."""
        key: str | None = self.method_class.content_key(self.method_options)
        return key

    @cached_property
    def objectives(self) -> dict[str, str]:
        """Version of every objective, by name, in their order."""
        return dict(self.benchmark_class.objective_versions(self.benchmark_options))

    @property
    def identity(self) -> str:
        """The training digest, shortened: names the cell's folder."""
        return self.digests["train"][:10]

    @property
    def folder(self) -> Path:
        """Where the cell's files are."""
        return cell_folder(self.config, self.identity)

    @property
    def cached_stages(self) -> list[str]:
        """Stages that need not run again."""
        return self.state.finished(self.digests)

    @property
    def state(self) -> State:
        """What the folder says is done."""
        return State(self.folder)

    @property
    def steps(self) -> int:
        """Optimiser steps that training may take at most."""
        assert self.config.budget.steps is not None  # filled in by `of`
        return int(self.method().total_steps(self.config.budget.steps, len(self.objectives)))

    @cached_property
    def variant(self) -> str:
        """What distinguishes this configuration among those of its method."""
        own = self.benchmark_class.training_defaults(self.benchmark_options)
        return options.variant(self.method_options, own)

    def method(self) -> Any:
        """The method, not yet trained or loaded."""
        return self.method_class(self.method_options)

    def grid(self) -> Array:
        """The preferences to evaluate, (k, m)."""
        p, objectives = self.config.preferences, len(self.objectives)
        if p.name == "lattice":
            return preferences.lattice(objectives, p.divisions)
        if p.name == "random":
            return preferences.random_points(objectives, p.count, p.seed)
        return preferences.read_file(Path(p.path), objectives)


class State:
    """`stages.json` of a cell's folder: which stages are finished, with what, at what cost."""

    def __init__(self, folder: Path):
        self.folder = folder
        self.stages: dict[str, Any] = _read(folder)
        self._found: dict[str, str | None] = {}  # digests; files may be large, each is read once

    def finished(self, digests: dict[str, str]) -> list[str]:
        """Stages done under these digests with their files whole, up to the first that is not."""
        done = []
        for name in STAGES:
            stage = self.stages.get(name)
            if stage is None or stage["digest"] != digests[name] or not self._whole(stage["files"]):
                break
            done.append(name)
        return done

    def damage(self, digests: dict[str, str]) -> Iterator[str]:
        """What a stage that counts should have left and did not, one line each."""
        if not self.stages and os.path.lexists(self.folder / STATE):
            yield f"{STATE} is damaged, every stage is done again"
        for name, stage in self.stages.items():
            if stage["digest"] == digests[name]:
                for file, known in stage["files"].items():
                    if not self._as_booked(file, known):
                        yield f"{file} is missing or damaged, stage {name!r} is done again"

    def finish(self, name: str, digest: str, files: list[str], facts: dict[str, Any]) -> None:
        """Book a stage; those after it are void."""
        kept = STAGES[: STAGES.index(name)]
        self.stages = {k: v for k, v in self.stages.items() if k in kept}
        found = {file: file_digest(self.folder / file) for file in files}
        self.stages[name] = {"digest": digest, "files": found, "facts": facts}
        self._found |= found
        write_json(self.folder / STATE, sealed(self.stages))

    def facts(self, name: str) -> dict[str, Any]:
        """What a finished stage left to be recorded."""
        found: dict[str, Any] = self.stages[name]["facts"]
        return found

    @property
    def files(self) -> dict[str, str]:
        """Digest of every file of every finished stage."""
        return {k: v for stage in self.stages.values() for k, v in stage["files"].items()}

    def are_of(self, files: Mapping[str, str]) -> bool:
        """Whether a record with these files was made from these stages."""
        return self.files.items() <= files.items()

    def whole(self, name: str) -> bool:
        """Whether a stage was finished, under whatever digest, and left files that are still so."""
        return name in self.stages and self._whole(self.stages[name]["files"])

    def _whole(self, files: dict[str, str]) -> bool:
        return all(self._as_booked(name, known) for name, known in files.items())

    def _as_booked(self, name: str, known: str) -> bool:
        if name not in self._found:
            try:
                self._found[name] = reading.digest(self.folder, name)
            except reading.RefusedError:
                self._found[name] = None
        return self._found[name] == known


def _read(folder: Path) -> dict[str, Any]:
    """The booked stages; none where there are none, or not as `State.finish` wrote them."""
    try:
        stages = reading.read_json(folder, STATE)
    except reading.RefusedError:
        return {}
    if not isinstance(stages, dict) or not as_written(stages):
        return {}
    stages.pop("digest", None)
    parts = {"digest": str, "files": dict, "facts": dict}
    fine = all(
        name in STAGES
        and isinstance(stage, dict)
        and all(isinstance(stage.get(part), kind) for part, kind in parts.items())
        for name, stage in stages.items()
    )
    return stages if fine else {}


def _budget(config: CellConfig, steps: Mapping[str, int]) -> Budget:
    """The budget with its steps, the benchmark's own where it names none."""
    budget = config.budget
    if budget.steps is None and budget.name not in steps:
        raise UsageError(
            f"budget.steps: needed, {config.benchmark.name} names none for a budget "
            f"{budget.name!r} (it has {', '.join(steps)})"
        )
    return budget.model_copy(update={"steps": budget.steps or steps[budget.name]})


def _dtype(config: CellConfig, benchmark: Any) -> str:
    """The precision with `auto` resolved: what digests, records and comparisons see."""
    from paretosteer.cells.devices import resolve_dtype

    if config.dtype == "auto" and benchmark.float32_only:
        return "float32"
    return resolve_dtype(config.dtype, config.device)


def cell_folder(config: CellConfig, identity: str) -> Path:
    """Where a cell of this identity has its files."""
    return config.folder / f"seed{config.seed}-{identity}"


def plan_cell(config: CellConfig) -> CellPlan:
    """The plan of one cell; UsageError where its configuration cannot work."""
    plan = CellPlan.of(config)
    if taken := RESERVED & plan.objectives.keys():
        raise UsageError(
            f"benchmark: an objective is called {min(taken)!r}, which is a column of its own in "
            "scores or logs; give it another name"
        )
    plan.method().check(len(plan.objectives))
    _ = plan.content_key  # says so where the files that it digests cannot be used
    if config.preferences.name == "file":
        plan.grid()
    return plan
