"""What a tracker is told, and what becomes of its errors.

A tracker is told of folders, not figures: what it shows, it reads from them itself. So nothing is
computed where none listens, and what it computes can fail no cell.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

from paretosteer.config.schema import NoTracking, WandbTracking
from paretosteer.runtime.terminal import line

if TYPE_CHECKING:
    from paretosteer.report.write import Report

log = logging.getLogger(__name__)


class Tracker(Protocol):
    """A sink for one cell at a time (`start`, `log`, `cell`, `finish`), then for their report."""

    def start(self, config: Mapping[str, Any], folder: Path, identity: str) -> None:
        """Begin a cell: its plain configuration, where files may go, its shortened digest."""
        ...

    def log(self, step: int, row: Mapping[str, float | str]) -> None:
        """A row of the training log, at an optimiser step."""
        ...

    def cell(self, folder: Path) -> None:
        """The cell has its record, whatever that says."""
        ...

    def finish(self) -> None:
        """End the cell; safe to call when none was started."""
        ...

    def report(self, sweep: Path, report: Report) -> None:
        """The report of the cells in a sweep's folder was written."""
        ...


def make_tracker(settings: NoTracking | WandbTracking) -> Tracker:
    """The tracker that a configuration asks for."""
    if isinstance(settings, WandbTracking):
        from paretosteer.tracking.wandb_tracker import WandbTracker

        return Shielded(WandbTracker(settings))
    return NoTracker()


class NoTracker:
    """Keeps nothing."""

    def start(self, config: Mapping[str, Any], folder: Path, identity: str) -> None:
        """Do nothing."""

    def log(self, step: int, row: Mapping[str, float | str]) -> None:
        """Do nothing."""

    def cell(self, folder: Path) -> None:
        """Do nothing."""

    def finish(self) -> None:
        """Do nothing."""

    def report(self, sweep: Path, report: Report) -> None:
        """Do nothing."""


class Shielded:
    """A tracker whose errors are said once and then ignored: figures are in the folder anyway."""

    def __init__(self, tracker: Tracker):
        self._tracker = tracker
        self._broken = False

    def start(self, config: Mapping[str, Any], folder: Path, identity: str) -> None:
        """Begin a cell."""
        self._try(lambda: self._tracker.start(config, folder, identity))

    def log(self, step: int, row: Mapping[str, float | str]) -> None:
        """A row of the training log."""
        self._try(lambda: self._tracker.log(step, row))

    def cell(self, folder: Path) -> None:
        """The cell has its record."""
        self._try(lambda: self._tracker.cell(folder))

    def finish(self) -> None:
        """End the cell, also where something went wrong before: nothing is left open."""
        self._try(self._tracker.finish, always=True)

    def report(self, sweep: Path, report: Report) -> None:
        """The report was written."""
        self._try(lambda: self._tracker.report(sweep, report))

    def _try(self, action: Callable[[], None], *, always: bool = False) -> None:
        if self._broken and not always:
            return
        try:
            action()
        except Exception as error:
            if not self._broken:
                kind, what = type(self._tracker).__name__, type(error).__name__
                log.warning("%s stopped (%s: %s); all else goes on", kind, what, line(error))
            self._broken = True
