"""`paretosteer run` and `paretosteer sweep`: cells, described by Hydra overrides."""

from __future__ import annotations

import argparse
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from paretosteer.commands.arguments import add_trust, command, table
from paretosteer.errors import UsageError, said
from paretosteer.plugins import conf_files
from paretosteer.runtime.progress import say_loading
from paretosteer.runtime.terminal import line, plural, printable
from paretosteer.runtime.time_left import rough_time

if TYPE_CHECKING:
    from paretosteer.cells.plan import CellPlan
    from paretosteer.commands.arguments import Commands
    from paretosteer.config.schema import CellConfig
    from paretosteer.sweeps.sweep import PlannedCell

_OVERRIDES = """settings, as Hydra overrides: a group (method, benchmark, model, budget,
preferences, tracker, launcher, experiment) or one value in it, such as method.rank=4"""

_TOPICS = ("all", "config", "defaults", "defaults-tree", "plugins", "searchpath")


class _Info(argparse.Action):
    """Topic of `--info`; an override after it belongs to the overrides."""

    def __call__(
        self,
        parser: argparse.ArgumentParser,
        namespace: argparse.Namespace,
        values: Any,
        option_string: str | None = None,
    ) -> None:
        if "=" in values or values.startswith("~"):
            namespace.first_overrides, values = [values], "all"
        if values not in _TOPICS:
            raise argparse.ArgumentError(
                self, f"{values!r} is not a topic; use one of {', '.join(_TOPICS)}, or none"
            )
        namespace.info = values


def add(commands: Commands) -> None:
    """Declare both commands."""
    run = command(
        commands,
        "run",
        "train, sample and score one cell",
        _run,
        """paretosteer run method=clp budget=smoke
        paretosteer run method=bone_soup method.rank=16 seed=3 sweep_dir=results/mine
        paretosteer run model=hf model.path=path/to/folder --dry-run""",
    )
    sweep = command(
        commands,
        "sweep",
        "run a grid of cells, then report; exits 1 if a cell failed",
        _sweep,
        """paretosteer sweep experiment=five_methods
        paretosteer sweep method=rewarded_soup,bone_soup benchmark=stories seed=0,1,2
        paretosteer sweep experiment=five_methods model=hf model.path=path/to/folder --dry-run""",
    )
    run.add_argument("--multirun", "-m", action="store_true", help="same as `paretosteer sweep`")
    for parser in (run, sweep):
        parser.set_defaults(first_overrides=[])
        parser.add_argument("overrides", nargs="*", metavar="KEY=VALUE", help=_OVERRIDES)
        parser.add_argument(
            "--dry-run",
            action="store_true",
            help="only show the cells, which results exist, and what the rest costs",
        )
        parser.add_argument(
            "--cfg",
            "-c",
            choices=("job", "hydra", "all"),
            help="only print the composed configuration as YAML, unchecked; for a sweep, one "
            "document per cell",
        )
        parser.add_argument(
            "--info",
            "-i",
            nargs="?",
            const="all",
            action=_Info,
            metavar="|".join(_TOPICS),
            help="only print how Hydra composes the configuration; without a topic, everything",
        )
        conf_files.declare(parser)
        add_trust(parser)
        parser.add_argument(
            "--overwrite",
            choices=("never", "failed", "all"),
            default="failed",
            help="which recorded cells to run again: failed ones (default; finished stages are "
            "reused), none (never), or all from scratch",
        )


def _run(args: argparse.Namespace) -> int:
    if args.multirun:
        return _sweep(args)
    conf_files.use(args.config_dir)
    _say_loading(args)
    from paretosteer.cells.record import FailedRecord
    from paretosteer.runtime.progress_bars import bars
    from paretosteer.sweeps.compose import compose_cell
    from paretosteer.sweeps.sweep import (
        announce,
        announce_sync,
        begin,
        plan,
        report_folders,
        run_one,
        time_left,
    )
    from paretosteer.tracking import sync_command

    if args.cfg or args.info:
        return _print_composition(args, one=True)
    configs = [compose_cell(_overrides(args))]
    _trust(args.trust_remote_code, configs)
    (cell,) = cells = plan(configs)
    from_scratch = args.overwrite == "all"
    if args.dry_run:
        return _show(cells, from_scratch)
    begin(cells, from_scratch)
    began = time.monotonic()
    with bars(time_left(cells)):
        record = run_one(cell)
    if record is None:  # the first process of this cell does the rest
        return 0
    announce(record, cell.config, time.monotonic() - began)
    if isinstance(record, FailedRecord):
        return 2 if record.error.type == "UsageError" else 1
    report_folders([cell.config.sweep_dir], cell.config)
    announce_sync(sync_command(cell.config.tracker, cells=[cell.plan.folder] if cell.plan else []))
    return 0


def _sweep(args: argparse.Namespace) -> int:
    conf_files.use(args.config_dir)
    _say_loading(args)
    from paretosteer.runtime.accelerate_processes import are_several
    from paretosteer.sweeps.compose import compose_sweep
    from paretosteer.sweeps.sweep import begin, plan, run_sweep

    if are_several():
        raise UsageError(
            "sweep: started in several processes, which only `run` supports; use "
            "`accelerate launch … -m paretosteer run …`, or choose a launcher"
        )

    overrides = _overrides(args)
    if args.cfg or args.info:
        return _print_composition(args, one=False)
    configs = compose_sweep(overrides)
    _trust(args.trust_remote_code, configs)
    if not args.dry_run:
        say_loading(_overview(configs))
    cells, from_scratch = plan(configs), args.overwrite == "all"
    if args.dry_run:
        return _show(cells, from_scratch)
    begin(cells, from_scratch)
    return run_sweep(overrides, cells)


def _say_loading(args: argparse.Namespace) -> None:
    """Print a first line, before imports that take seconds."""
    if not (args.cfg or args.info):
        say_loading("loading PyTorch and the configuration …")


def _overview(configs: Sequence[CellConfig]) -> str:
    """`6 cells: clp, bone_soup on stories, seeds 0, 1, 2`."""
    methods = ", ".join(dict.fromkeys(config.method.name for config in configs))
    places = ", ".join(dict.fromkeys(config.benchmark.name for config in configs))
    seeds = dict.fromkeys(config.seed for config in configs)
    named = f"seed{'s' if len(seeds) > 1 else ''} {', '.join(map(str, seeds))}"
    return f"{plural(len(configs), 'cell')}: {methods} on {places}, {named}"


def _trust(model: str | None, configs: Sequence[CellConfig]) -> None:
    """Trust the code of one reward model; raise UsageError if no cell has it."""
    from paretosteer.text.rewards.remote_code import trust

    rewards = [config.benchmark.values.get("rewards") or {} for config in configs]
    specs = [spec for each in rewards if isinstance(each, Mapping) for spec in each.values()]
    paths = {spec.get("path") if isinstance(spec, Mapping) else spec for spec in specs}
    if model is not None and model not in paths:
        raise UsageError(
            f"--trust-remote-code: {model!r} is not the path of a reward model of this command; "
            "use the value of benchmark.rewards.NAME.path"
        )
    trust(model)


def _overrides(args: argparse.Namespace) -> list[str]:
    """Overrides, including what every job of the sweep must know about `--overwrite`."""
    given = [*args.first_overrides, *args.overrides]
    return [*given, *(["overwrite=never"] if args.overwrite == "never" else [])]


def _print_composition(args: argparse.Namespace, one: bool) -> int:
    from paretosteer.sweeps.compose import composed_yaml, print_info

    if args.cfg:
        print(printable(composed_yaml(_overrides(args), args.cfg, one)), end="")
    else:
        print_info(_overrides(args), args.info, one)
    return 0


@dataclass(frozen=True)
class _Outlook:
    """What a planned cell has left to do."""

    cell: PlannedCell
    stages: str  # in words
    steps: int
    samples: bool
    replaces: str = ""  # a sentence, where it replaces other results

    @property
    def row(self) -> tuple[object, ...]:
        """Its line of a dry run."""
        config, plan = self.cell.config, self.cell.plan
        first = (*self.place, config.method.name)
        if plan is None:
            return (*first, "", config.seed, "cannot run", "", "")
        rows = self.steps * config.budget.rows
        return (*first, plan.variant, config.seed, self.stages, self.steps, rows)

    @property
    def place(self) -> tuple[str, str]:
        """Benchmark and model."""
        config = self.cell.config
        return config.benchmark.name, config.model.path or config.model.name


def _outlook(cell: PlannedCell, from_scratch: bool) -> _Outlook:
    """What of a cell does not run again, and the cost of the rest."""
    from paretosteer.cells.reuse import has_other_inputs, skipped_record
    from paretosteer.cells.state import STAGES

    plan = cell.plan
    if plan is None:
        return _Outlook(cell, "", 0, samples=False)
    if from_scratch:
        return _Outlook(cell, "to do", plan.steps, samples=True)
    cached = plan.cached_stages
    if "score" not in cached and (record := skipped_record(plan)):
        changed = "; its inputs have changed" if has_other_inputs(plan, record) else ""
        return _Outlook(cell, f"{record.status} before, left alone{changed}", 0, samples=False)
    if cached == list(STAGES):
        return _Outlook(cell, "finished", 0, samples=False)
    if cached:
        words = f"cached: {', '.join(cached)}"
        return _Outlook(cell, words, 0, samples=True, replaces=_replaces(plan))
    if done := _snapshot(plan):
        return _Outlook(cell, f"resumes at step {done}", plan.steps - done, samples=True)
    return _Outlook(cell, "to do", plan.steps, samples=True)


def _replaces(plan: CellPlan) -> str:
    """A sentence on other results that the cell replaces; empty if there are none."""
    from paretosteer.cells.record import read_record
    from paretosteer.cells.reuse import other_results

    try:
        other = other_results(plan, read_record(plan.folder))
    except UsageError:  # no record, or a damaged one
        return ""
    return f"{plan.folder}: would replace {other}" if other else ""


def _snapshot(plan: CellPlan) -> int:
    """Optimiser steps after which training resumes; 0 where it begins."""
    if not plan.folder.is_dir():
        return 0
    from paretosteer.cells.resume import PartialStages
    from paretosteer.runtime.devices import resolve_device

    try:
        return PartialStages(plan, resolve_device(plan.config.device).type).trained_steps()
    except UsageError:  # this machine lacks the device
        return 0


def _show(cells: Sequence[PlannedCell], from_scratch: bool) -> int:
    """Print the cells; exit code 2 if one of them cannot run."""
    from paretosteer.sweeps.estimate import CellWork, estimate

    outlooks = [_outlook(cell, from_scratch) for cell in cells]
    header = ("benchmark", "model", "method", "variant", "seed", "stages", "steps", "rows")
    places = {each.place for each in outlooks}
    skipped = 2 if len(places) == 1 else 0  # columns that are the same in every row
    print(table(header[skipped:], [each.row[skipped:] for each in outlooks]), end="\n\n")
    if skipped:
        print(line("benchmark {}, model {}".format(*places.pop())))
    steps = sum(each.steps for each in outlooks)
    rows = sum(each.steps * each.cell.config.budget.rows for each in outlooks)
    count = plural(len(cells), "cell")
    print(f"{count}; left to train: {steps} optimiser steps on {rows} rows at most")
    works = [CellWork(each.cell.config, each.steps, each.samples) for each in outlooks]
    if found := estimate(works):
        basis = plural(found.cells, "finished cell")
        print(f"about {rough_time(found.seconds)}, one cell at a time, estimated from {basis}")
    for text in dict.fromkeys(text for cell in cells if cell.plan for text in cell.plan.data):
        print(line(text))
    for each in outlooks:
        if each.replaces:
            print(line(each.replaces))
    problems = [(cell, cell.problem) for cell in cells if cell.problem]
    for cell, problem in problems:
        who = f"{cell.config.method.name} seed {cell.config.seed}"
        print(line(f"cannot run {who}: {said(problem)}"))
    return 2 if problems else 0
