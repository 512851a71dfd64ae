"""Trackers: the interface, one that does nothing, and a wrapper that catches errors."""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

from paretosteer.cells.cell_tracker import CellTracker
from paretosteer.config.schema import NoTracking, WandbTracking
from paretosteer.runtime.terminal import line
from paretosteer.tracking.wandb_environment import with_environment

if TYPE_CHECKING:
    from paretosteer.report.report_folder import Report

log = logging.getLogger(__name__)


class Tracker(CellTracker, Protocol):
    """Receives the cells of a sweep, then their report."""

    def report(self, sweep: Path, report: Report) -> None:
        """Send the report of a sweep."""
        ...


def make_tracker(settings: NoTracking | WandbTracking) -> Tracker:
    """Make the configured tracker."""
    if isinstance(settings, WandbTracking) and with_environment(settings).mode != "disabled":
        from paretosteer.tracking.wandb_tracker import WandbTracker

        return Shielded(WandbTracker(settings))
    return NoTracker()


class NoTracker:
    """Tracker that does nothing."""

    def start(self, config: Mapping[str, Any], folder: Path, key: str, title: str) -> None:
        pass

    def log(self, step: int, row: Mapping[str, float | str]) -> None:
        pass

    def cell(self, folder: Path) -> None:
        pass

    def finish(self) -> None:
        pass

    def report(self, sweep: Path, report: Report) -> None:
        pass


class Shielded:
    """Tracker that stops with a warning at the first error of another one.

    Nothing is lost, since the cell's folder holds all figures.
    """

    def __init__(self, tracker: Tracker):
        self._tracker = tracker
        self._broken = False

    def start(self, config: Mapping[str, Any], folder: Path, key: str, title: str) -> None:
        self._try(lambda: self._tracker.start(config, folder, key, title))

    def log(self, step: int, row: Mapping[str, float | str]) -> None:
        self._try(lambda: self._tracker.log(step, row))

    def cell(self, folder: Path) -> None:
        self._try(lambda: self._tracker.cell(folder))

    def finish(self) -> None:
        # Even after an error, so that no run stays open.
        self._try(self._tracker.finish, always=True)

    def report(self, sweep: Path, report: Report) -> None:
        self._try(lambda: self._tracker.report(sweep, report))

    def _try(self, action: Callable[[], None], *, always: bool = False) -> None:
        if self._broken and not always:
            return
        try:
            action()
        except Exception as error:
            if not self._broken:
                kind, what = type(self._tracker).__name__, type(error).__name__
                log.warning("%s stopped (%s: %s); the run continues", kind, what, line(error))
            self._broken = True
