"""Weights & Biases: a run per cell and one for the report, in a group per sweep.

A run's id is made of what identifies the cell, or of the sweep's name. So a cell that is run or
exported again goes to the run it has. Online that run is resumed: wandb ignores steps that it has,
and takes the newer tables and metrics. Offline the older folder is replaced, since `wandb sync`
would send both to one run, several folders at once; what it sends under an id that exists takes the
place of what was there.
"""

from __future__ import annotations

import os
import re
import shutil
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from itertools import combinations
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from paretosteer.cells.cell import read_cell
from paretosteer.cells.record import RECORD
from paretosteer.config.schema import WandbTracking
from paretosteer.tracking.tracked_figures import Shown, Table, curves, training

if TYPE_CHECKING:
    from paretosteer.report.write import Report

SAMPLE_ROWS = 200  # as many as a browser shows with ease
_LONGEST = 100  # characters of an id: wandb takes 128, with what stands before it
_DATA_DIR = "WANDB_DATA_DIR"


class WandbTracker:
    """Sends a cell to its run as it trains, or all at once when it is finished.

    Without WANDB_API_KEY everything stays offline, below `wandb` in the folder that a run is
    given. With `watch_machine` false nothing is noted about this machine: it is not the one that
    did the work.
    """

    def __init__(self, settings: WandbTracking, *, watch_machine: bool = True):
        self._settings = settings
        self._watch_machine = watch_machine
        self._run: Any = None
        self._has_curves = False
        self._exit_code = 1

    def start(self, config: Mapping[str, Any], folder: Path, identity: str) -> None:
        """Open the cell's run."""
        method, seed = config["method"]["name"], config["seed"]
        benchmark = config["benchmark"]["name"]
        self._open(
            folder,
            id=_identifier(f"{benchmark}-{method}-{identity}-seed{seed}"),
            group=self._settings.group or Path(config["sweep_dir"]).name,
            name=f"{method} seed {seed}",
            job_type=benchmark,
            config=dict(config),
        )

    def log(self, step: int, row: Mapping[str, float | str]) -> None:
        """Points of the training curves."""
        self._run.log(curves(row), step=step)
        self._has_curves = True

    def cell(self, folder: Path) -> None:
        """The record as an artifact; of a finished cell curves, front, metrics and samples too."""
        cell = read_cell(folder)
        with self._staging():
            self._run.log_artifact(self._artifact(folder / RECORD))
            if cell.scored:
                self._curves_from_disk(folder)
                self._show(Shown(cell))
        self._run.summary.update({"status": cell.status, "reason": cell.reason})
        self._exit_code = int(cell.status == "failed")

    def finish(self) -> None:
        """Close the run; one that was told of no record counts as failed."""
        if self._run is not None:
            self._run.finish(exit_code=self._exit_code)
            self._run = None

    def report(self, sweep: Path, report: Report) -> None:
        """The leaderboard, the figures and the page, in a run of their own."""
        import wandb

        name = sweep.resolve().name
        group = self._settings.group or name
        self._open(
            sweep,
            id=_identifier(f"report-{name}"),
            group=group,
            name=f"report of {name}",
            job_type="report",
        )
        try:
            shown = {
                f"figures/{path.stem}": wandb.Image(str(path))
                for path in sorted((report.folder / "figures").glob("*.png"))
            }
            with self._staging():
                board = _table(Table.of(report.leaderboard))
                page = wandb.Html(report.page, inject=False)  # it brings its own style
                self._run.log({"leaderboard": board, "page": page, **shown})
            self._run.summary.update({f"cells/{k}": n for k, n in report.counts.items()})
            self._exit_code = 0
        finally:
            self.finish()

    def _open(self, folder: Path, *, id: str, **about: Any) -> None:
        import wandb

        settings = self._settings
        mode = settings.mode or _default_mode()
        folder.mkdir(parents=True, exist_ok=True)
        if mode == "offline":
            _remove_offline(folder, id)
        self._has_curves, self._exit_code = False, 1
        self._run = wandb.init(
            project=settings.project,
            entity=settings.entity,
            id=id,
            dir=str(folder),
            mode=mode,
            resume="allow" if mode == "online" else None,
            reinit="finish_previous",
            settings=wandb.Settings(
                console="off", silent=True, x_disable_machine_info=not self._watch_machine
            ),
            **about,
        )

    def _artifact(self, path: Path) -> Any:
        import wandb

        artifact = wandb.Artifact(f"record-{self._run.id}", type="record")
        artifact.add_file(str(path))
        return artifact

    def _curves_from_disk(self, folder: Path) -> None:
        """Curves that were not seen live: of an export, and where training was found done."""
        if not self._has_curves:
            for step, row in training(folder):
                self.log(step, row)

    def _show(self, shown: Shown) -> None:
        """All that is known of a finished cell, at the last step; the summary says of samples."""
        panels, headline = _panels(shown), shown.headline()
        samples, total = shown.samples(SAMPLE_ROWS)
        if total:
            panels["samples"] = _table(samples)
            headline |= {"samples/shown": len(samples.rows), "samples/total": total}
        self._run.log(panels)
        self._run.summary.update(headline)

    @contextmanager
    def _staging(self) -> Iterator[None]:
        """Artifacts wait in the run's folder, not in the user's home, until they are sent.

        wandb has a variable for that and no setting.
        """
        before = os.environ.get(_DATA_DIR)
        os.environ[_DATA_DIR] = before or str(Path(self._run.dir).parent)
        try:
            yield
        finally:
            if before is None:
                os.environ.pop(_DATA_DIR, None)


def pair_key(x: str, y: str) -> str:
    """The key of the chart of a front in two objectives; its table has `_table` behind it."""
    return f"front/{x}_{y}"


def _panels(shown: Shown) -> dict[str, Any]:
    """The front as a table, as a scatter plot per pair of objectives, and over the weights.

    Charts made of tables and not images: selecting several runs draws them into one.
    """
    import wandb

    front, responses = _table(shown.front()), shown.responses()
    scatters = {
        pair_key(x, y): wandb.plot.scatter(front, x, y, title=f"Front: {y} over {x}")
        for x, y in combinations(shown.objectives, 2)
    }
    over_weights = wandb.plot.line_series(
        xs=[weights for weights, _ in responses.values()],
        ys=[values for _, values in responses.values()],
        keys=list(responses),
        title="Each objective over its weight",
        xname="weight",
    )
    return {"front": front, **scatters, "responses": over_weights}


def _table(table: Table) -> Any:
    import wandb

    return wandb.Table(columns=table.columns, data=table.rows, allow_mixed_types=True)


def _identifier(text: str) -> str:
    """Text as wandb takes it for ids and names of artifacts; what tells cells apart is its end."""
    return re.sub(r"[^A-Za-z0-9_.-]+", "-", text)[-_LONGEST:]


def _remove_offline(folder: Path, id: str) -> None:
    for older in (folder / "wandb").glob(f"offline-run-{'[0-9]' * 8}_{'[0-9]' * 6}-{id}"):
        shutil.rmtree(older)


def _default_mode() -> Literal["online", "offline"]:
    return "online" if os.environ.get("WANDB_API_KEY") else "offline"
