"""Upload of finished cells and their report to wandb, through the tracker that is used live."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from paretosteer.cells.cell import Cell, find_cells
from paretosteer.cells.cell_name import cell_title, tracking_key
from paretosteer.cells.cells_alike import warn_of_repeats
from paretosteer.cells.changed_files import change_of, changed_files
from paretosteer.cells.config_yaml import CONFIG
from paretosteer.cells.scores import UnreadableError
from paretosteer.config.schema import WandbTracking
from paretosteer.errors import UsageError
from paretosteer.report import write_report
from paretosteer.tracking.tracked_figures import Shown, training
from paretosteer.tracking.wandb_environment import with_environment
from paretosteer.tracking.wandb_tracker import WandbTracker


@dataclass(frozen=True)
class Outcome:
    """Result of sending a cell."""

    cell: Cell
    skipped: str  # reason why it was not sent; empty if it was


def replay(sweep: Path, settings: WandbTracking) -> Iterator[Outcome]:
    """Send every finished cell below a sweep's folder, then a freshly written report.

    Files go to `sweep/wandb`, or to WANDB_DIR. `settings.group` defaults to the
    current name of the folder, even if it has been renamed since the sweep.

    Raises
    ------
    UsageError
        If the folder holds no finished cell (before anything is sent), or wandb refuses.

    """
    cells = find_cells(sweep)
    if not any(cell.scored for cell in cells):
        raise UsageError(
            f"DIR: none of the {len(cells)} cells in {sweep} is finished; run the sweep again"
        )
    warn_of_repeats(cell for cell in cells if cell.scored)
    settings = with_environment(settings, mode="offline")
    group = settings.group or sweep.resolve().name
    tracker = WandbTracker(settings.model_copy(update={"group": group}), upload=True)
    with refusals():
        for cell in cells:
            yield Outcome(cell, _send(cell, sweep, tracker))
        tracker.report(sweep, write_report([sweep]))


@contextmanager
def refusals() -> Iterator[None]:
    """Turn errors of wandb (wrong key, account or name) into a UsageError of one line."""
    import wandb

    try:
        yield
    except wandb.Error as error:
        message = " ".join(str(error).split())
        raise UsageError(
            f"--mode, --project, --entity: wandb refused ({message}); set WANDB_API_KEY for online "
            "runs, or use --mode offline"
        ) from None


def _send(cell: Cell, sweep: Path, tracker: WandbTracker) -> str:
    """Send a finished cell, or return the reason why it cannot be sent."""
    if not cell.scored:
        return f"{cell.status}: {cell.reason}" if cell.reason else cell.status
    if damage := _damage(cell):
        return damage
    try:
        record = cell.results
        title = cell_title(record.method, record.variant, record.seed)
        key = tracking_key(record.identity, record.stages["score"])
        tracker.start(cell.config, sweep, key, title)
        tracker.cell(cell.path)
    finally:
        tracker.finish()
    return ""


def _damage(cell: Cell) -> str:
    """Error in a cell's files, if any, found before a wandb run is opened."""
    try:
        Shown(cell).samples(0)
        list(training(cell.path))
    except UnreadableError as error:
        return str(error)
    except (OSError, ValueError, KeyError) as error:
        return f"its files are damaged ({type(error).__name__}: {error})"
    # The configuration is sent as the record has it.
    changed = (name for name in changed_files(cell) if name != CONFIG)
    return next((change_of(cell, name).removesuffix(".") for name in changed), "")
