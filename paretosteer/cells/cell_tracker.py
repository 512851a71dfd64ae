"""Figures that the run of a cell reports to a tracker."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, Protocol


class CellTracker(Protocol):
    """Tracks one cell at a time: `start`, then `log` and `cell`, then `finish`.

    A tracker gets folders, not figures: it reads the cell's files. So nothing is computed without a
    tracker, and an error of a tracker cannot fail a cell.
    """

    def start(self, config: Mapping[str, Any], folder: Path, key: str, title: str) -> None:
        """Begin a cell: its configuration, folder, key and name.

        The key is the same whenever a cell is trained and evaluated alike.
        """
        ...

    def log(self, step: int, row: Mapping[str, float | str]) -> None:
        """Take a row of the training log, at an optimiser step."""
        ...

    def cell(self, folder: Path) -> None:
        """Report that the cell's record has been written, whatever its status."""
        ...

    def finish(self) -> None:
        """End the cell. Safe to call when none was started."""
        ...
