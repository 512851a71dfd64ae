"""Running cells: one, or a Hydra multirun that ends with the report.

Hydra ends a sweep in which a job raised. So a job here never raises: it leaves a failed record.
What the sweep came to is read from disk at its end, whichever launcher ran its jobs. Composing
takes Hydra longer than all else that a finished cell needs, so the cells are composed once before
the sweep and not again after it.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from hydra.errors import HydraException
from hydra.utils import get_original_cwd
from omegaconf import DictConfig

from paretosteer.cells.record import read_record
from paretosteer.config.schema import CellConfig
from paretosteer.errors import PLUGIN_ERRORS, UsageError, said, stops_job
from paretosteer.runtime.processes import is_first
from paretosteer.runtime.terminal import line
from paretosteer.storage.atomic import check_writable
from paretosteer.sweeps import launchers
from paretosteer.sweeps.compose import CONFIG, hydra_app, parse, per_cell
from paretosteer.tracking import make_tracker

if TYPE_CHECKING:
    from paretosteer.cells.plan import CellPlan
    from paretosteer.report import Report

Record = dict[str, Any]


@dataclass(frozen=True)
class Planned:
    """A cell of a sweep before it runs: its plan, or why it has none."""

    config: CellConfig
    plan: CellPlan | None
    problem: Exception | SystemExit | None = None


def plan(cells: Sequence[CellConfig]) -> list[Planned]:
    """The plan of every cell; UsageError where not a single one can run."""
    planned = [_plan(config) for config in cells]
    problems = [cell.problem for cell in planned if cell.problem]
    if len(problems) == len(planned) and all(isinstance(p, UsageError) for p in problems):
        raise UsageError("; ".join(dict.fromkeys(map(str, problems))))
    return planned


def _plan(config: CellConfig) -> Planned:
    from paretosteer.cells.plan import plan_cell

    try:
        return Planned(config, plan_cell(config))
    except PLUGIN_ERRORS as error:  # a plug-in's error belongs to its own cells only
        return Planned(config, None, error)


def begin(planned: Sequence[Planned], anew: bool) -> None:
    """Before the first cell runs: see that results can be written, and forget old ones if asked.

    Raises
    ------
    UsageError
        If a folder cannot be written, or a cell to be forgotten is being run.

    """
    for folder in sorted({cell.config.sweep_dir for cell in planned}):
        check_writable(folder)
    if anew and is_first():
        from paretosteer.cells.reuse import forget

        forget([cell.plan for cell in planned if cell.plan])


def run_one(config: CellConfig) -> Record | None:
    """Run one cell; gives its record, None in a process that only helps to train it.

    Raises
    ------
    UsageError
        If it cannot even begin.

    """
    from paretosteer.cells.runner import run_cell

    record: Record | None = run_cell(config, tracker=make_tracker(config.tracker))
    return record


def run_sweep(overrides: Sequence[str], cells: Sequence[CellConfig]) -> int:
    """Run a sweep of these cells, then its report. Gives the exit code: 1 if a cell failed."""
    launched = True
    with hydra_app() as hydra:
        try:
            hydra.multirun(CONFIG, job, [*per_cell(overrides), "hydra.mode=MULTIRUN"])
        except HydraException:
            raise
        except Exception as error:  # jobs raise nothing, so a launcher or its scheduler did
            launchers.lost(error)
            launched = False
    failed = finish_sweep(cells)
    return failed if launched else 1


def job(resolved: DictConfig) -> str:
    """Hydra's task function: one cell of a sweep, in whatever process. Gives its status."""
    from paretosteer.cells.record_content import failed_record

    os.chdir(get_original_cwd())  # a worker that was there before the sweep is anywhere
    config = parse(resolved)
    try:
        record = run_one(config)
    except PLUGIN_ERRORS as error:
        if stops_job(error):
            raise
        record = failed_record(config, error)
    assert record is not None  # a sweep is one process
    announce(record, config)
    return str(record["status"])


def finish_sweep(cells: Sequence[CellConfig]) -> int:
    """Write and print the report of a sweep's cells; 1 if it, or one of them, failed."""
    failed = [cell for cell in map(_plan, cells) if _failed(cell)]
    folders = sorted({config.sweep_dir for config in cells})
    try:
        report = report_folders(folders)
    except PLUGIN_ERRORS as error:
        print(f"paretosteer: the report failed: {_told(error)}", file=sys.stderr)
        return 1
    make_tracker(cells[0].tracker).report(Path(folders[0]), report)
    if failed:
        print(f"{len(failed)} of {len(cells)} cells failed", file=sys.stderr)
    return 1 if failed else 0


def report_folders(folders: Sequence[str | Path]) -> Report:
    """What `paretosteer report` does: write the report and print the leaderboard."""
    from paretosteer.report import print_leaderboard, write_report

    report = write_report([Path(folder) for folder in folders])
    print_leaderboard(report)
    return report


def announce(record: Record, config: CellConfig) -> None:
    """One line about a finished cell."""
    error = record.get("error") or {}
    reason = error.get("message") or record.get("reason") or ""
    place = config.folder / f"seed{record['seed']}-{record['identity']}"
    told = f"{record['status']}: {place}" + (f": {reason}" if reason else "")
    print(line(told), file=sys.stderr if error else sys.stdout, flush=True)


def _failed(cell: Planned) -> bool:
    """Whether a cell of a finished sweep failed; one that left no valid record did."""
    if cell.plan is None:
        return True
    try:
        return bool(read_record(cell.plan.folder)["status"] == "failed")
    except UsageError:
        return True


def _told(error: Exception | SystemExit) -> str:
    return line(f"{type(error).__name__}: {said(error)}")
