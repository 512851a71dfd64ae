"""Where a cell's figures go besides its folder. No tracker can fail a cell."""

from __future__ import annotations

import logging
import os
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, Literal, Protocol

from paretosteer.cells.config import CellConfig, NoTracking, WandbTracking

log = logging.getLogger(__name__)


class Tracker(Protocol):
    """A sink for one cell at a time: `start`, any figures, `finish`."""

    def start(self, config: CellConfig, folder: Path, identity: str) -> None:
        """Begin a cell; `identity` is its training digest, shortened."""
        ...

    def log(self, step: int, figures: Mapping[str, float]) -> None:
        """Training figures at an optimiser step."""
        ...

    def front(self, columns: Sequence[str], rows: Sequence[Sequence[Any]]) -> None:
        """The evaluated points, one row each."""
        ...

    def summary(self, figures: Mapping[str, Any]) -> None:
        """Headline metrics of the finished cell."""
        ...

    def finish(self) -> None:
        """End the cell; safe to call when none was started."""
        ...


def make_tracker(settings: NoTracking | WandbTracking) -> Tracker:
    """The tracker that a configuration asks for."""
    if isinstance(settings, WandbTracking):
        return Shielded(WandbTracker(settings))
    return NoTracker()


class NoTracker:
    """Keeps nothing."""

    def start(self, config: CellConfig, folder: Path, identity: str) -> None:
        """Do nothing."""

    def log(self, step: int, figures: Mapping[str, float]) -> None:
        """Do nothing."""

    def front(self, columns: Sequence[str], rows: Sequence[Sequence[Any]]) -> None:
        """Do nothing."""

    def summary(self, figures: Mapping[str, Any]) -> None:
        """Do nothing."""

    def finish(self) -> None:
        """Do nothing."""


class WandbTracker:
    """Weights & Biases: one run per cell, one group per sweep.

    The run's id is the cell's identity and seed, so a cell run again continues its own run.
    Without WANDB_API_KEY everything stays offline in the cell's folder.
    """

    def __init__(self, settings: WandbTracking):
        self._settings = settings
        self._run: Any = None

    def start(self, config: CellConfig, folder: Path, identity: str) -> None:
        """Open the cell's run; files go to `folder/wandb`."""
        import wandb

        settings = self._settings
        folder.mkdir(parents=True, exist_ok=True)
        self._run = wandb.init(
            project=settings.project,
            entity=settings.entity,
            group=settings.group or Path(config.sweep_dir).name,
            name=f"{config.method.name} seed {config.seed}",
            id=f"{config.benchmark.name}-{config.method.name}-{identity}-seed{config.seed}",
            job_type=config.benchmark.name,
            config=config.model_dump(),
            dir=str(folder),
            mode=settings.mode or _default_mode(),
            resume="allow",
            reinit="finish_previous",
            settings=wandb.Settings(console="off", silent=True),
        )

    def log(self, step: int, figures: Mapping[str, float]) -> None:
        """Training curves."""
        self._run.log(dict(figures), step=step)

    def front(self, columns: Sequence[str], rows: Sequence[Sequence[Any]]) -> None:
        """The front as a wandb.Table."""
        import wandb

        table = wandb.Table(columns=list(columns), data=[list(row) for row in rows])
        self._run.log({"front": table})

    def summary(self, figures: Mapping[str, Any]) -> None:
        """Headline metrics, shown beside the run."""
        self._run.summary.update(dict(figures))

    def finish(self) -> None:
        """Close the run."""
        if self._run is not None:
            self._run.finish()
            self._run = None


class Shielded:
    """A tracker whose errors are said once and then ignored: figures are in the folder anyway."""

    def __init__(self, tracker: Tracker):
        self._tracker = tracker
        self._broken = False

    def start(self, config: CellConfig, folder: Path, identity: str) -> None:
        """Begin a cell."""
        self._try(lambda: self._tracker.start(config, folder, identity))

    def log(self, step: int, figures: Mapping[str, float]) -> None:
        """Training figures."""
        self._try(lambda: self._tracker.log(step, figures))

    def front(self, columns: Sequence[str], rows: Sequence[Sequence[Any]]) -> None:
        """The evaluated points."""
        self._try(lambda: self._tracker.front(columns, rows))

    def summary(self, figures: Mapping[str, Any]) -> None:
        """Headline metrics."""
        self._try(lambda: self._tracker.summary(figures))

    def finish(self) -> None:
        """End the cell."""
        self._try(self._tracker.finish)

    def _try(self, action: Callable[[], None]) -> None:
        if self._broken:
            return
        try:
            action()
        except Exception as error:
            self._broken = True
            kind = type(self._tracker).__name__
            log.warning("%s stopped (%s: %s); the cell goes on", kind, type(error).__name__, error)


def _default_mode() -> Literal["online", "offline"]:
    return "online" if os.environ.get("WANDB_API_KEY") else "offline"
