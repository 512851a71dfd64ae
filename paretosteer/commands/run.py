"""`paretosteer run` and `paretosteer sweep`: cells, described by Hydra overrides."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from typing import TYPE_CHECKING

from paretosteer.commands.base import command, quiet, table

if TYPE_CHECKING:
    from paretosteer.commands.base import Commands
    from paretosteer.sweep import Planned

_OVERRIDES = """settings, as Hydra overrides: a group (method, benchmark, model, budget,
preferences, tracker, launcher, experiment) or one value in it, such as method.rank=4"""


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
    for parser in (run, sweep):
        parser.add_argument("overrides", nargs="*", metavar="KEY=VALUE", help=_OVERRIDES)
        parser.add_argument(
            "--dry-run",
            action="store_true",
            help="only show the cells, what of them is cached, and what the rest costs",
        )


def _run(args: argparse.Namespace) -> int:
    quiet()
    from paretosteer.compose import compose_cell
    from paretosteer.sweep import announce, plan, report_folders, run_one

    config = compose_cell(args.overrides)
    if args.dry_run:
        return _show(plan([config]))
    record = run_one(config)
    announce(record, config)
    if record["status"] == "failed":
        return 1
    report_folders([config.sweep_dir])
    return 0


def _sweep(args: argparse.Namespace) -> int:
    quiet()
    from paretosteer.compose import compose_sweep
    from paretosteer.sweep import plan, run_sweep

    planned = plan(compose_sweep(args.overrides))
    return _show(planned) if args.dry_run else run_sweep(args.overrides)


def _show(planned: Sequence[Planned]) -> int:
    """Print the cells; exit code 2 if one of them cannot run."""
    header = ("method", "variant", "benchmark", "model", "seed", "stages", "steps", "rows")
    print(table(header, [_row(cell) for cell in planned]))
    plans = [cell.plan for cell in planned if cell.plan]
    steps, rows = sum(plan.steps for plan in plans), sum(plan.rows for plan in plans)
    print(f"\n{len(planned)} cells; still to do: {steps} optimiser steps, {rows} sampled rows")
    problems = [cell for cell in planned if cell.problem]
    for cell in problems:
        print(f"cannot run {cell.config.method.name} seed {cell.config.seed}: {cell.problem}")
    return 2 if problems else 0


def _row(cell: Planned) -> tuple[object, ...]:
    config, plan = cell.config, cell.plan
    model = config.model.path or config.model.name
    place = (config.benchmark.name, model, config.seed)
    if plan is None:
        return (config.method.name, "", *place, "cannot run", "", "")
    cached = f"cached: {', '.join(plan.cached_stages)}" if plan.cached_stages else "to do"
    return (config.method.name, plan.variant, *place, cached, plan.steps, plan.rows)
