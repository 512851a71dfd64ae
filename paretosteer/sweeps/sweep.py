"""Run cells: one, or a Hydra multirun that ends with the report.

Hydra ends a sweep in which a job raised, so a job here never raises: it writes a failed record.
The outcome of a sweep is read from disk at its end, whichever launcher ran its jobs.

Every cell is composed and planned once, before the first one runs. The plans are handed to the jobs
that run in this process and to the end of the sweep; a job in another process gets the checked
configuration of its cell, and plans it.
"""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Sequence
from contextlib import nullcontext
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any

from hydra._internal.callbacks import Callbacks
from hydra.core.hydra_config import HydraConfig
from hydra.core.plugins import Plugins
from hydra.errors import HydraException
from hydra.types import HydraContext
from omegaconf import DictConfig, open_dict, read_write

from paretosteer.cells.cell_name import cell_name
from paretosteer.cells.discovery import check_no_link
from paretosteer.cells.record import FailedRecord, Record, read_record
from paretosteer.cells.shared_failures import SharedFailures
from paretosteer.config.dotted_names import by_dotted_name
from paretosteer.config.schema import CellConfig, escaped, quoted
from paretosteer.errors import PLUGIN_ERRORS, UsageError, said, stops_job
from paretosteer.report.raw_reference import check_size
from paretosteer.runtime.accelerate_processes import is_first
from paretosteer.runtime.progress import (
    View,
    cell_of_sweep,
    say,
    say_loading,
    show_line,
    shown_by,
)
from paretosteer.runtime.terminal import line, plural
from paretosteer.runtime.time_left import TimeLeft, clock
from paretosteer.storage.atomic import check_writable
from paretosteer.sweeps import launchers
from paretosteer.sweeps.compose import CONFIG, compose_master, hydra_app
from paretosteer.tracking import make_tracker, sync_command

if TYPE_CHECKING:
    from paretosteer.cells.plan import CellPlan
    from paretosteer.report import Report


@dataclass(frozen=True)
class PlannedCell:
    """A cell before it runs: its plan, or the problem for which it has none."""

    config: CellConfig
    plan: CellPlan | None
    problem: Exception | SystemExit | None = None

    @classmethod
    def of(cls, config: CellConfig) -> PlannedCell:
        from paretosteer.cells.plan import plan_cell

        try:
            return cls(config, plan_cell(config))
        except PLUGIN_ERRORS as error:  # a plug-in's error belongs to its own cells only
            return cls(config, None, error)

    @property
    def failed(self) -> bool:
        """True if the cell failed, after the sweep; one without a valid record of its own did."""
        if self.plan is None or self.replaced:
            return True
        try:
            return read_record(self.plan.folder).status == "failed"
        except UsageError:
            return True

    @property
    def replaced(self) -> str:
        """After the sweep: by what the cell's results were replaced; empty if they are its own."""
        from paretosteer.cells.reuse import other_results, skipped_record

        if self.plan is None or skipped_record(self.plan) is not None:
            return ""
        try:
            other = other_results(self.plan, read_record(self.plan.folder))
        except UsageError:
            return ""
        if not other:
            return ""
        return f"{self.plan.folder}: holds {other}; run this sweep again with its own sweep_dir"


def plan(configs: Sequence[CellConfig]) -> list[PlannedCell]:
    """Plan every cell; UsageError where none can run, or where two would replace each other."""
    cells = [PlannedCell.of(config) for config in configs]
    plans = [cell.plan for cell in cells if cell.plan]
    check_folders(plans)
    check_raw_reference(plans)
    problems = [cell.problem for cell in cells if cell.problem]
    if len(problems) == len(cells) and all(isinstance(p, UsageError) for p in problems):
        raise UsageError("; ".join(dict.fromkeys(map(str, problems))))
    return cells


def check_raw_reference(plans: Sequence[CellPlan]) -> None:
    """UsageError where a reference point fits the objectives of no cell: no report could use it."""
    given = next((plan.config.report.raw_reference for plan in plans), None)
    if given is not None:
        sizes = {len(plan.objectives) for plan in plans}
        check_size(given, sizes, "report.raw_reference", "cells")


def check_folders(plans: Sequence[CellPlan]) -> None:
    """UsageError where cells share a folder, and so their training, but are not evaluated alike.

    The later cell would replace the results of the earlier one.
    """
    from paretosteer.cells.reuse import differing

    first: dict[Path, CellPlan] = {}
    for cell in plans:
        other = first.setdefault(cell.folder, cell)
        if cell.digests != other.digests:
            keys = ", ".join(differing(_settings(cell), _settings(other)))
            raise UsageError(
                f"{keys}: two cells of this sweep differ in it only after training, so "
                f"that one would replace the other in {cell.folder}; run a sweep for each value, "
                "each with its own sweep_dir"
            )


def _settings(plan: CellPlan) -> dict[str, Any]:
    return dict(by_dotted_name(plan.config.model_dump(mode="json")))


def begin(cells: Sequence[PlannedCell], from_scratch: bool) -> None:
    """Check that results can be written; with `from_scratch` delete old ones.

    Raises
    ------
    UsageError
        If a folder cannot be written or lies behind a link, or another job is working on a cell
        to be deleted.

    """
    for folder in sorted({cell.config.sweep_dir for cell in cells}):
        check_writable(folder)
    for plan in (cell.plan for cell in cells if cell.plan):
        check_no_link(plan.folder, Path(plan.config.sweep_dir))
    if from_scratch and is_first():
        from paretosteer.cells.reuse import delete_results

        delete_results([cell.plan for cell in cells if cell.plan])


def run_one(cell: PlannedCell, failures: SharedFailures | None = None) -> Record | None:
    """Run one cell. Gives its record, or None in a process that only helps to train it."""
    from paretosteer.cells.runner import run_cell

    if cell.plan is None:
        assert cell.problem is not None
        raise cell.problem
    return run_cell(cell.plan, make_tracker(cell.config.tracker), failures)


def run_sweep(overrides: Sequence[str], cells: Sequence[PlannedCell]) -> int:
    """Run a sweep of these cells, then its report. Gives the exit code: 1 if a cell failed."""
    launched, began = True, time.monotonic()
    with hydra_app() as hydra:
        try:
            config = compose_master(hydra, overrides)
            _launch_with_bars(hydra, config, cells)
        except HydraException:
            raise
        except Exception as error:  # jobs raise nothing, so a launcher or its scheduler did
            launchers.lost(error)
            launched = False
    show_line(f"{plural(len(cells), 'cell')} in {clock(time.monotonic() - began)}")
    failed = finish_sweep(cells)
    return failed if launched else 1


def _launch_with_bars(hydra: Any, config: DictConfig, cells: Sequence[PlannedCell]) -> None:
    """Launch with progress bars for cells that run on this machine."""
    launcher = config.hydra.runtime.choices.launcher
    with TemporaryDirectory(prefix="paretosteer-marks-") as name:
        marks = Path(name)
        if launcher not in ("basic", "joblib") or not sys.stderr.isatty():
            _launch(hydra, config, Job(cells, marks))
            return
        from paretosteer.runtime.progress_bars import Bars

        with Bars(len(cells), time_left(cells)) as view, shown_by(view), view.follow() as folder:
            _launch(hydra, config, Job(cells, marks, channel=folder))


def time_left(cells: Sequence[PlannedCell]) -> TimeLeft:
    """Estimate of the time that these cells take."""
    plans = [cell.plan for cell in cells]
    training = [plan.steps * plan.config.budget.rows if plan else 0.0 for plan in plans]
    sampling = max(plan.sampled_rows if plan else 0 for plan in plans)
    return TimeLeft(training, sampling)


def _launch(hydra: Any, config: DictConfig, job: Job) -> None:
    """Give a job for every cell to the launcher, as Hydra's sweeper does.

    Jobs carry their cells. Their overrides are for the launcher, which composes them again.
    """
    cells = job.cells
    with read_write(config), open_dict(config):
        config.sweep_dir = escaped(cells[0].config.sweep_dir)
        given = config.hydra.overrides.hydra  # without the axes of an experiment, which jobs lack
        config.hydra.overrides.hydra = [o for o in given if "hydra.sweeper.params" not in o]
    callbacks = Callbacks(config)
    callbacks.on_multirun_start(config=config, config_name=CONFIG)
    launcher = Plugins.instance().instantiate_launcher(
        hydra_context=HydraContext(config_loader=hydra.config_loader, callbacks=callbacks),
        task_function=job,
        config=config,
    )
    jobs = [_overrides(cell.config, config) for cell in cells]
    for first in range(0, len(jobs), size := config.hydra.sweeper.max_batch_size or len(jobs)):
        for done in launcher.launch(jobs[first : first + size], initial_job_idx=first):
            _ = done.return_value  # raises what the job raised
    callbacks.on_multirun_end(config=config, config_name=CONFIG)


def _overrides(cell: CellConfig, sweep: DictConfig) -> list[str]:
    launcher = sweep.hydra.runtime.choices.launcher
    values = {"launcher": launcher, "seed": cell.seed, "sweep_dir": cell.sweep_dir}
    return [f"{key}={quoted(value)}" for key, value in values.items()]


class Job:
    """Hydra's task function: runs one cell of a sweep. In another process it knows no plans.

    `marks` is the folder in which the processes mark what was printed, see `first_in_sweep`.
    `channel` is the folder through which other processes show their progress, if they can; `view`
    shows it in this one. `folder` is the one that the sweep was started in.
    """

    def __init__(
        self,
        cells: Sequence[PlannedCell],
        marks: Path | None = None,
        channel: Path | None = None,
        view: View | None = None,
        folder: Path | None = None,
    ):
        self.cells, self._marks, self._channel, self._view = cells, marks, channel, view
        self._folder = folder or Path.cwd()  # Hydra knows only the one of each process
        self._failures = SharedFailures()
        self._reasons: set[str] = set()  # of failures, as printed

    def __reduce__(self) -> tuple[Any, tuple[list[CellConfig], Path | None, Path | None, Path]]:
        # Classes of single-file plug-ins, which plans hold, cannot be pickled.
        configs = [cell.config for cell in self.cells]
        return _job, (configs, self._marks, self._channel, self._folder)

    def __call__(self, composed: DictConfig) -> str:
        """Run the cell, or write the record of why it cannot run. Gives its status."""
        if self._folder.is_dir():  # another machine may lack it
            os.chdir(self._folder)  # a worker that existed before the sweep is anywhere
        number = HydraConfig.get().job.num
        with (
            shown_by(self._view) if self._view else nullcontext(),
            cell_of_sweep(number + 1, len(self.cells), self._marks),
        ):
            return self._run(self.cells[number])

    def _run(self, cell: PlannedCell) -> str:
        if cell.plan is None and cell.problem is None:
            cell = PlannedCell.of(cell.config)
        config, began = cell.config, time.monotonic()
        try:
            record = run_one(cell, self._failures)
        except PLUGIN_ERRORS as error:
            if stops_job(error):
                raise
            from paretosteer.cells.record_content import failed_record

            record = failed_record(config, cell.plan, error)
        assert record is not None  # a sweep is one process
        announce(record, config, time.monotonic() - began, self._reasons)
        return record.status


def _job(
    configs: Sequence[CellConfig], marks: Path | None, channel: Path | None, folder: Path
) -> Job:
    from paretosteer.runtime.progress_bars import Channel

    cells = [PlannedCell(config, None) for config in configs]
    return Job(cells, marks, view=Channel(channel) if channel else None, folder=folder)


def finish_sweep(cells: Sequence[PlannedCell]) -> int:
    """Write and print the report of a sweep's cells; 1 if the report or one of the cells failed."""
    failed = [cell for cell in cells if cell.failed]
    folders = sorted({cell.config.sweep_dir for cell in cells})
    say_loading(f"comparing {plural(len(cells), 'cell')} …")
    try:
        report = report_folders(folders, cells[0].config)
    except PLUGIN_ERRORS as error:
        reason = line(f"{type(error).__name__}: {said(error)}")
        print(f"paretosteer: the report failed: {reason}", file=sys.stderr)
        return 1
    tracker = cells[0].config.tracker
    make_tracker(tracker).report(Path(folders[0]), report)
    announce_sync(sync_command(tracker, sweeps=[Path(folder) for folder in folders]))
    for cell in failed:
        if cell.replaced:
            print(line(cell.replaced), file=sys.stderr)
    if failed:
        print(f"{len(failed)} of {plural(len(cells), 'cell')} failed", file=sys.stderr)
    return 1 if failed else 0


def report_folders(folders: Sequence[str | Path], config: CellConfig) -> Report:
    """Write the report of these folders and print the leaderboard, as `paretosteer report` does.

    The options of the report are those of `config`.
    """
    from paretosteer.report import print_leaderboard, write_report
    from paretosteer.runtime.progress_bars import bars

    paths = [Path(folder) for folder in folders]
    with bars():
        report = write_report(paths, raw_reference=config.report.raw_reference)
    print_leaderboard(report)
    return report


def announce_sync(command: str) -> None:
    """Print the command that sends what a tracker wrote offline, if there is any."""
    if command:
        print(line(f"to send the runs: {command}"))


def announce(
    record: Record, config: CellConfig, seconds: float, reasons: set[str] | None = None
) -> None:
    """Print one line about a finished cell; one of the earlier `reasons` of failures only once.

    `seconds` is the time that the cell took.
    """
    failed = isinstance(record, FailedRecord)
    reason = record.error.message if isinstance(record, FailedRecord) else record.explanation
    if isinstance(record, FailedRecord) and reasons is not None:
        if reason in reasons:
            reason = "for the same reason as before"
        reasons.add(reason)
    folder = config.folder / cell_name(record.seed, record.identity)
    taken = f" in {clock(seconds)}" if seconds >= 1 else ""  # less: reused, or failed at once
    say(f"{record.status}{taken}: {folder}" + (f": {reason}" if reason else ""), out=not failed)
