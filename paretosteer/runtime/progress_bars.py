"""Bars on a terminal: one for each running cell, and one for the sweep with the time left.

Cells in other processes of this machine write what they have to show into files of a temporary
folder (`Channel`), which a thread of the process with the terminal reads (`Bars.follow`).
"""

from __future__ import annotations

import json
import os
import re
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from threading import Event, Thread
from typing import Any

from rich.console import Console, ConsoleOptions, RenderResult
from rich.measure import Measurement
from rich.progress import BarColumn, ProgressColumn, Task, TaskID, TextColumn
from rich.progress import Progress as RichProgress
from rich.table import Column
from rich.text import Text

from paretosteer.runtime.progress import Progress, shown_by
from paretosteer.runtime.terminal import line, wrapped_at
from paretosteer.runtime.time_left import STAGES, TimeLeft, rough_time

_EVERY = 0.2  # seconds between two looks into the files, and between two lines about one stage
_TITLE = 0.45  # most of the width that the name of a cell may take
_WIDE = 100  # columns, from which there is room for the stage beside its figures
_BAR, _NARROW_BAR = 12, 6  # characters of a bar
_PERIOD = 300.0  # seconds that the speed of a stage is measured over


class _Remaining(ProgressColumn):
    """Time left of the sweep, of a cell, or of a report's stage, where known."""

    def __init__(self, left: TimeLeft, table_column: Column):
        self._left = left
        super().__init__(table_column)

    def render(self, task: Task) -> Text:
        cell = task.fields["cell"]
        if cell or task.fields["sweep"]:
            words = self._left.in_words(cell)
        else:
            left = task.time_remaining
            words = f"{rough_time(left)} left" if left else ""
        return Text(words, style="progress.remaining")


@dataclass(frozen=True)
class _Figures:
    """The first figures of a list that fit; a figure is never cut, unless it is the only one."""

    text: str  # two spaces between figures

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        ends = [place.start() for place in re.finditer("  |(?<=:) |$", self.text)]
        fitting = [end for end in ends if end <= options.max_width]
        shown = self.text[: max(fitting, default=ends[0])]
        yield Text(shown, no_wrap=True, overflow="ellipsis")

    def __rich_measure__(self, console: Console, options: ConsoleOptions) -> Measurement:
        return Measurement(1, max(1, len(self.text)))


class _FiguresColumn(ProgressColumn):
    def render(self, task: Task) -> _Figures:
        return _Figures(str(task.fields["figures"]))


class Bars:
    """View of a sweep or a single cell on a terminal.

    Parameters
    ----------
    cells
        Number of cells.
    left
        Estimates the time left of the sweep.
    """

    def __init__(self, cells: int, left: TimeLeft):
        self._cells, self._left, self._ended = cells, left, 0
        console = Console(stderr=True)
        self._bars = RichProgress(
            TextColumn(
                "{task.description}",
                markup=False,
                table_column=Column(
                    max_width=int(_TITLE * console.width), no_wrap=True, overflow="ellipsis"
                ),
            ),
            BarColumn(bar_width=_BAR if console.width >= _WIDE else _NARROW_BAR),
            TextColumn("{task.fields[count]}", table_column=Column(no_wrap=True)),
            _Remaining(left, Column(no_wrap=True)),
            _FiguresColumn(Column(ratio=1, no_wrap=True)),
            console=console,
            expand=True,
            refresh_per_second=4,
            speed_estimate_period=_PERIOD,
            redirect_stdout=sys.stdout.isatty(),
        )
        self._tasks: dict[int, tuple[TaskID, str]] = {}  # bar and stage, by cell
        self._sweep: TaskID | None = None

    def __enter__(self) -> Bars:
        self._bars.start()
        if self._cells > 1:
            self._sweep = self._bars.add_task(
                "sweep", total=self._cells, count="", figures=self._left, cell=None, sweep=True
            )
            self._update_sweep()
        return self

    def __exit__(self, *_: object) -> None:
        for task in self._bars.task_ids:
            self._bars.remove_task(task)
        self._bars.stop()

    def line(self, text: str, out: bool = False) -> None:
        """Print one line above the bars."""
        if out and not sys.stdout.isatty():
            print(line(text), flush=True)
        else:
            width = self._bars.console.width
            self._bars.print(Text(wrapped_at(line(text), width)), soft_wrap=True)

    def progress(self, at: Progress) -> None:
        """Move the bar of the cell, which begins again with every stage."""
        self._left.progress(at)
        task, stage = self._tasks.get(at.cell, (None, ""))
        total = max(at.done, at.total) or None
        fields: dict[str, Any] = {
            "count": f"{at.done}/{at.total}" if at.total else "",
            "figures": line(self._words(at)),
        }
        if task is not None and stage != at.stage:
            self._bars.remove_task(task)
            task = None
        if task is None:
            task = self._bars.add_task(
                line(at.title),
                total=total,
                completed=at.done,
                cell=at.cell if at.stage in STAGES else None,
                sweep=False,
                **fields,
            )
            self._tasks[at.cell] = task, at.stage
        else:
            self._bars.update(task, total=total, completed=at.done, **fields)
        self._update_sweep()

    def _words(self, at: Progress) -> str:
        """Stage and figures; on a narrow terminal figures alone, which only training has."""
        if at.figures and self._bars.console.width < _WIDE:
            return at.figures
        return f"{at.stage}  {at.figures}"

    def end(self, cell: int) -> None:
        """Remove the bar of a cell."""
        task, _ = self._tasks.pop(cell, (None, ""))
        if task is not None:
            self._bars.remove_task(task)
        self._ended += 1
        self._left.end(cell)
        self._update_sweep()

    def _update_sweep(self) -> None:
        if self._sweep is not None:
            count = f"{self._ended}/{self._cells}"
            self._bars.update(self._sweep, completed=self._ended, count=count)

    @contextmanager
    def follow(self) -> Iterator[Path]:
        """Show what processes write to the files of a new folder through a `Channel`."""
        with TemporaryDirectory(prefix="paretosteer-progress-") as name:
            reader = _Reader(Path(name), self)
            try:
                yield reader.folder
            finally:
                reader.stop()


class Channel:
    """View of a process without the terminal: appends to a file what `Bars` shows."""

    def __init__(self, folder: Path):
        self._path = folder / f"{os.getpid()}.jsonl"
        self._due = 0.0
        self._last: tuple[int, str] | None = None

    def line(self, text: str, out: bool = False) -> None:
        """Send a line."""
        self._send({"line": text, "out": out})

    def progress(self, at: Progress) -> None:
        """Send the state of a stage, unless one of the same stage was sent a moment ago."""
        now, stage = time.monotonic(), (at.cell, at.stage)
        if stage != self._last or now >= self._due or at.done == at.total:
            self._due, self._last = now + _EVERY, stage
            self._send({"progress": asdict(at)})

    def end(self, cell: int) -> None:
        """Send that a cell has ended."""
        self._send({"end": cell})

    def _send(self, message: dict[str, object]) -> None:
        with self._path.open("a", encoding="utf-8") as stream:
            stream.write(json.dumps(message) + "\n")


class _Reader:
    """A thread that reads the files of channels and shows their messages."""

    def __init__(self, folder: Path, view: Bars):
        self.folder, self._view = folder, view
        self._read: dict[Path, int] = {}  # bytes of each file that were read
        self._stop = Event()
        self._thread = Thread(target=self._run, daemon=True)
        self._thread.start()

    def stop(self) -> None:
        """Show the rest."""
        self._stop.set()
        self._thread.join()
        self._look()

    def _run(self) -> None:
        while not self._stop.wait(_EVERY):
            self._look()

    def _look(self) -> None:
        for path in sorted(self.folder.glob("*.jsonl")):
            start = self._read.get(path, 0)
            with path.open("rb") as stream:
                stream.seek(start)
                new = stream.read()
            whole = new[: new.rfind(b"\n") + 1]
            self._read[path] = start + len(whole)
            for text in whole.splitlines():
                self._show(json.loads(text))

    def _show(self, message: dict[str, object]) -> None:
        if "progress" in message:
            self._view.progress(Progress(**message["progress"]))  # type: ignore[arg-type]
        elif "end" in message:
            self._view.end(int(str(message["end"])))
        else:
            self._view.line(str(message["line"]), bool(message["out"]))


@contextmanager
def bars(left: TimeLeft | None = None) -> Iterator[None]:
    """Show progress of one cell or report in a bar until the end of the block, on a terminal."""
    if not sys.stderr.isatty():
        yield
        return
    with Bars(1, left or TimeLeft([], 0.0)) as view, shown_by(view):
        yield
