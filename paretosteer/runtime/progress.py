"""Progress of cells on standard error.

`say` prints a line, `stage` reports the steps of a stage of a cell. Both go to one view: plain
lines by default, bars where a command opens `paretosteer.runtime.progress_bars`.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Protocol

from paretosteer.runtime.accelerate_processes import is_first
from paretosteer.runtime.terminal import line, wrapped

SECONDS = 20  # between lines of a `PeriodicLines`
REPORTS = 4  # lines per training run where there is no terminal to draw a bar on

OnStep = Callable[[int, Mapping[str, float | str]], None]


@dataclass(frozen=True)
class Progress:
    """State of a stage: `done` of `total` steps, which is 0 where the length is unknown."""

    cell: int  # number in the sweep, from 1
    title: str
    stage: str
    done: int = 0
    total: int = 0
    figures: str = ""


class View(Protocol):
    """Where progress is shown."""

    def line(self, text: str, out: bool = False) -> None:
        """Show one line, with `out` on standard output."""

    def progress(self, at: Progress) -> None:
        """Show the state of a stage; it replaces the previous one of its cell."""

    def end(self, cell: int) -> None:
        """A cell has ended."""


class Lines:
    """Plain lines: a few per training run, and no others more often than every `SECONDS`."""

    def __init__(self) -> None:
        self._due = 0.0

    def line(self, text: str, out: bool = False) -> None:
        """Print one line."""
        stream = sys.stdout if out else sys.stderr
        print(wrapped(line(text), stream), file=stream, flush=True)

    def progress(self, at: Progress) -> None:
        """Print training at `REPORTS` of its steps, other stages if they take long."""
        if at.stage == "training":
            due = at.done % max(1, at.total // REPORTS) == 0 or at.done == at.total
        else:
            due = 0 < at.done < at.total and time.monotonic() >= self._due
        if at.done == 0 or due:
            self._due = time.monotonic() + SECONDS
        if due and at.done:
            title = f"{at.title}: " if at.title else ""
            stage = "" if at.stage == "training" else f"{at.stage} "
            of = f"/{at.total}" if at.done <= at.total else ""
            self.line(f"{title}{stage}step {at.done}{of}  {at.figures}".rstrip())

    def end(self, cell: int) -> None:
        """Nothing to clear."""


_view: View = Lines()
_cell, _cells, _title = 1, 1, ""
_marks: Path | None = None


@contextmanager
def shown_by(view: View) -> Iterator[None]:
    """Show progress in this view until the end of the block."""
    global _view
    before, _view = _view, view
    try:
        yield
    finally:
        _view = before


@contextmanager
def cell_of_sweep(number: int, total: int, marks: Path | None = None) -> Iterator[None]:
    """Until the end of the block, progress is that of a cell of a sweep, numbered from 1.

    `marks` is the folder in which the sweep's processes mark what was printed.
    """
    global _cell, _cells, _marks
    before, (_cell, _cells, _marks) = (_cell, _cells, _marks), (number, total, marks)
    try:
        yield
    finally:
        _view.end(number)
        _cell, _cells, _marks = before


def first_in_sweep(mark: str) -> bool:
    """True unless another cell of the sweep, in any process on this machine, asked before."""
    if _marks is None:
        return True
    try:
        (_marks / mark).touch(exist_ok=False)
    except FileExistsError:
        return False
    except OSError:  # another machine lacks the folder
        return True
    return True


def say(text: str, out: bool = False) -> None:
    """Print one line for the user; in a sweep with the number of the cell.

    It goes to standard error, with `out` to standard output. Of several processes of one cell, only
    the first prints.
    """
    show_line(_numbered(text), out)


def show_line(text: str, out: bool = False) -> None:
    """Print one line unchanged on standard error, with `out` on standard output."""
    if is_first():
        _view.line(text, out)


def say_loading(text: str) -> None:
    """Print a line before imports that take seconds, for a user who watches a terminal."""
    if sys.stderr.isatty():
        show_line(text)


def stage(title: str, name: str, total: int = 0) -> OnStep:
    """Begin a stage of the cell called `title`; returns the function that shows its steps."""
    global _title
    _title = title
    if not is_first():
        return lambda step, row: None
    begin = Progress(_cell, _numbered(title), name, 0, total)
    _view.progress(begin)

    def show(step: int, row: Mapping[str, float | str]) -> None:
        _view.progress(replace(begin, done=step, total=total, figures=_figures(row)))

    return show


def preparation(name: str, total: int) -> OnStep:
    """Begin a stage of the cell that runs here, under the title of the stage before."""
    return stage(_title, name, total)


def _numbered(text: str) -> str:
    return f"[{_cell}/{_cells}] {text}" if _cells > 1 else text


class PeriodicLines:
    """Progress of work of unknown length: the first line at once, later ones `SECONDS` apart."""

    def __init__(self, title: str, say: Callable[[str], None] = say):
        self._title, self._say = title, say
        self._began = self._due = time.monotonic()

    def __call__(self, text: str) -> None:
        """Print where the work is, if a line is due."""
        now = time.monotonic()
        if now >= self._due:
            self._say(f"{self._title}: {text}")
            self._due = now + SECONDS

    def step(self, step: int, total: int, figures: str) -> None:
        """Print a step, counted from 1, with an estimate of the seconds left."""
        left = (time.monotonic() - self._began) / step * (total - step)
        rest = f", about {left:.0f} s left" if step > 1 else ""
        self(f"step {step}/{total}, {figures}{rest}")


def _figures(row: Mapping[str, float | str]) -> str:
    hidden = {"step", "phase", "tokens", "seconds"}
    parts = [f"{k} {v:.3g}" for k, v in row.items() if k not in hidden and isinstance(v, float)]
    phase = f"{row['phase']}: " if row.get("phase") else ""
    return phase + "  ".join(parts)
