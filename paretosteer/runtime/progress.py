"""Progress of a cell on standard error: single lines, and a training bar."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from multiprocessing import parent_process

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from paretosteer.runtime.accelerate_processes import is_first
from paretosteer.runtime.terminal import line

SECONDS = 20  # between lines of a `PeriodicLines`
REPORTS = 4  # lines per training run where there is no terminal to draw a bar on

OnStep = Callable[[int, Mapping[str, float | str]], None]


def say(text: str) -> None:
    """Print one line for the user on standard error.

    Of several processes of one cell, only the first prints.
    """
    if not is_first():
        return
    print(line(text), file=sys.stderr, flush=True)


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


@contextmanager
def training_bar(title: str, steps: int) -> Iterator[OnStep]:
    """A bar with the latest figures; a few plain lines in a worker or without a terminal."""
    console = Console(stderr=True)
    if not console.is_terminal or parent_process():  # bars of concurrent cells overwrite each other
        yield _lines(title, steps)
        return
    columns = (
        TextColumn("{task.description}", markup=False),
        BarColumn(),
        MofNCompleteColumn(),
        TimeRemainingColumn(),
    )
    with Progress(
        *columns, TextColumn("{task.fields[figures]}", markup=False), console=console
    ) as bar:
        task = bar.add_task(line(title), total=steps, figures="")

        def show(step: int, row: Mapping[str, float | str]) -> None:
            total = max(steps, step)
            bar.update(task, completed=step, total=total, figures=_figures(row))

        yield show


def _lines(title: str, steps: int) -> OnStep:
    every = max(1, steps // REPORTS)

    def show(step: int, row: Mapping[str, float | str]) -> None:
        if step % every == 0 or step == steps:
            cap = f"/{steps}" if step <= steps else ""
            say(f"{title}: step {step}{cap}  {_figures(row)}")

    return show


def _figures(row: Mapping[str, float | str]) -> str:
    hidden = {"step", "phase", "tokens", "seconds"}
    parts = [f"{k} {v:.3g}" for k, v in row.items() if k not in hidden and isinstance(v, float)]
    return f"{row.get('phase', '')}: " + "  ".join(parts)
