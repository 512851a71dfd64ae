"""Weights & Biases: one run per cell and one for the report, in a group per sweep.

The id of a run is derived from the cell's settings or the sweep's name, so a cell that is run or
exported again goes to the same wandb run. Online, this run is resumed: wandb ignores steps that it
already has, and takes the newer tables and metrics. Offline, the older folder is deleted, because
`wandb sync` would send both folders to one run. Syncing an existing id replaces its contents.
"""

from __future__ import annotations

import os
import re
import shlex
import shutil
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from functools import partial
from itertools import combinations
from pathlib import Path
from platform import node
from typing import TYPE_CHECKING, Any

from paretosteer.cells.cell import read_cell
from paretosteer.cells.record import RECORD
from paretosteer.config.schema import WandbTracking
from paretosteer.runtime.progress import say
from paretosteer.runtime.terminal import line
from paretosteer.storage.digest import digest
from paretosteer.tracking.tracked_figures import Shown, Table, curves, training
from paretosteer.tracking.wandb_environment import (
    own_settings,
    root,
    stay_offline,
    variable,
    with_environment,
    written,
)

if TYPE_CHECKING:
    from paretosteer.report.report_folder import Report

SAMPLE_ROWS = 200  # a browser shows this many with ease
_LONGEST = 100  # characters of an id; wandb allows 128, including its own prefix
_DATA_DIR = "WANDB_DATA_DIR"


class WandbTracker:
    """Sends a cell to its wandb run as it trains, or all at once when it is finished.

    Offline everything stays in the subfolder `wandb` of the folder passed to `start`, or of
    WANDB_DIR. A run whose server refuses or does not answer is kept offline too. `upload` is for
    finished cells, maybe of another machine: no machine statistics are sent, and the server's
    errors are raised.
    """

    def __init__(self, settings: WandbTracking, *, upload: bool = False):
        self._settings = with_environment(settings)
        self._upload = upload
        self._run: Any = None
        self._has_curves = False
        self._exit_code = 1

    def start(self, config: Mapping[str, Any], folder: Path, key: str, title: str) -> None:
        method, seed = config["method"]["name"], config["seed"]
        benchmark = config["benchmark"]["name"]
        self._open(
            folder,
            id=_identifier(f"{benchmark}-{method}-{key}-seed{seed}"),
            group=self._settings.group or Path(config["sweep_dir"]).name,
            name=title,
            job_type=benchmark,
            config=dict(config),
        )

    def log(self, step: int, row: Mapping[str, float | str]) -> None:
        self._run.log(curves(row), step=step)
        self._has_curves = True

    def cell(self, folder: Path) -> None:
        """Send the record as an artifact; for a finished cell also curves, front and samples."""
        cell = read_cell(folder)
        with self._staging():
            self._run.log_artifact(self._artifact(folder / RECORD))
            if cell.scored:
                self._curves_from_disk(folder)
                self._show(Shown(cell))
        self._run.summary.update({"status": cell.status, "reason": cell.reason})
        self._exit_code = int(cell.status == "failed")

    def finish(self) -> None:
        """Close the run, as failed unless a record was sent."""
        if self._run is not None:
            self._run.finish(exit_code=self._exit_code)
            self._run = None

    def report(self, sweep: Path, report: Report) -> None:
        """Send leaderboard, figures and page in a run of their own."""
        import wandb

        name = sweep.resolve().name
        group = self._settings.group or name
        self._open(
            sweep,
            # Sweeps of one name may share a project; a sweep's own report replaces its last.
            id=_identifier(f"report-{name}-{digest([node(), str(sweep.resolve())])[:8]}"),
            group=group,
            name=f"report of {name}",
            job_type="report",
        )
        try:
            figures = {
                f"figures/{path.stem}": wandb.Image(str(path))
                for path in sorted((report.folder / "figures").glob("*.png"))
            }
            with self._staging():
                board = _table(Table.of(report.leaderboard))
                page = wandb.Html(report.page, inject=False)  # the page has its own style
                self._run.log({"leaderboard": board, "page": page, **figures})
            self._run.summary.update({f"cells/{k}": n for k, n in report.counts.items()})
            self._exit_code = 0
        finally:
            self.finish()

    def _open(
        self, folder: Path, *, id: str, name: str, job_type: str, config: Any = None, group: str
    ) -> None:
        import wandb

        settings, mode = self._settings, self._settings.mode
        root(folder).mkdir(parents=True, exist_ok=True)
        if mode == "offline":
            _remove_offline(written(folder), id)
        self._has_curves, self._exit_code = False, 1
        begin = partial(
            wandb.init,
            project=settings.project,
            entity=settings.entity,
            id=id,
            name=variable("NAME", name),
            job_type=variable("JOB_TYPE", job_type),
            group=group,
            config=config,
            dir=str(root(folder)),
            reinit="finish_previous",
            settings=wandb.Settings(**own_settings(), x_disable_machine_info=self._upload),
        )
        if mode != "online":
            self._run = begin(mode=mode, resume=None)
            return
        try:
            self._run = begin(mode=mode, resume="allow")
        except wandb.errors.CommError as error:
            if self._upload:
                raise
            stay_offline()
            _remove_offline(written(folder), id)
            say(
                f"wandb: no online run ({line(error)}); runs stay offline; to send them: wandb "
                f"sync {shlex.quote(str(written(folder)))}"
            )
            self._run = begin(mode="offline", resume=None)

    def _artifact(self, path: Path) -> Any:
        import wandb

        artifact = wandb.Artifact(f"record-{self._run.id}", type="record")
        artifact.add_file(str(path))
        return artifact

    def _curves_from_disk(self, folder: Path) -> None:
        """Send curves that were not logged live, because training had finished before."""
        if not self._has_curves:
            for step, row in training(folder):
                self.log(step, row)

    def _show(self, shown: Shown) -> None:
        """Send front, metrics and samples of a finished cell at the last step."""
        panels, headline = _panels(shown), shown.headline()
        samples, total = shown.samples(SAMPLE_ROWS)
        if total:
            panels["samples"] = _table(samples)
            headline |= {"samples/shown": len(samples.rows), "samples/total": total}
        self._run.log(panels)
        self._run.summary.update(headline)

    @contextmanager
    def _staging(self) -> Iterator[None]:
        """Stage artifacts in the run's folder instead of the user's home."""
        # wandb has no setting for this, only an environment variable.
        before = os.environ.get(_DATA_DIR)
        os.environ[_DATA_DIR] = before or str(Path(self._run.dir).parent)
        try:
            yield
        finally:
            if before is None:
                os.environ.pop(_DATA_DIR, None)


def pair_key(x: str, y: str) -> str:
    """Key of the chart of a front in two objectives; its table has the suffix `_table`."""
    return f"front/{_escaped(x)},{_escaped(y)}"


def _escaped(name: str) -> str:
    """Name without a comma and the suffix of tables, so that no two charts have one key."""
    for mark, code in (("%", "%25"), (",", "%2C"), ("_table", "%5Ftable")):
        name = name.replace(mark, code)
    return name


def _panels(shown: Shown) -> dict[str, Any]:
    """Front as a table, as a scatter plot per pair of objectives, and over the weights."""
    # Charts from tables instead of images: wandb overlays them when several runs are selected.
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
    """Valid wandb id of a text, cut at the front, because cells differ at the end."""
    return re.sub(r"[^A-Za-z0-9_.-]+", "-", text)[-_LONGEST:]


def _remove_offline(folder: Path, id: str) -> None:
    for older in folder.glob(f"offline-run-{'[0-9]' * 8}_{'[0-9]' * 6}-{id}"):
        shutil.rmtree(older)
