"""Time left of cells and of a sweep, from the speed of each stage so far."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from paretosteer.runtime.progress import Progress

STAGES = ("training", "sampling", "scoring")
ESTIMATING = "estimating the time left"

_LEAST = 0.05  # share of a stage of one cell that must be done before its speed is known
_STEPS = 3  # steps of training that suffice to tell when it ends

# Seconds of scoring per second of sampling, until a cell was scored: measured on small models.
_SCORING = 0.1


@dataclass
class _Span:
    """Progress of one stage of one cell."""

    began: float
    first: float  # share that was done when it began here, by an earlier run
    at: float  # time of the last progress
    share: float
    total: int  # steps
    pause: float = 0.0  # longest time between two reports of progress

    def take(self, share: float, now: float) -> None:
        if share > self.share:
            self.pause = max(self.pause, now - self.at)
            self.at, self.share = now, share

    @property
    def gained(self) -> float:
        return self.share - self.first

    def seconds(self, now: float) -> float:
        """Time that the gained share took; more once the next progress is overdue."""
        overdue = now - self.began - self.pause if self.share < 1 else 0.0
        return max(self.at - self.began, overdue)


class TimeLeft:
    """Estimate from the speed of every stage: in the same cell, else in all cells so far.

    There is no estimate before a cell of the sweep has sampled, since nothing is known of the time
    that sampling takes.

    Parameters
    ----------
    training, sampling
        Rows of each cell, in order. As soon as a cell samples, its number of rows counts for all.
    clock
        Time in seconds.
    """

    def __init__(
        self,
        training: Sequence[float],
        sampling: float,
        clock: Callable[[], float] = time.monotonic,
    ):
        self._training, self._sampling, self._clock = list(training), sampling, clock
        self._spans: dict[tuple[int, str], _Span] = {}
        self._ended: set[int] = set()
        self._most_running = 1

    def progress(self, at: Progress) -> None:
        """Take the state of a stage."""
        if not at.total or at.stage not in STAGES:
            return
        now, share = self._clock(), at.done / at.total
        if at.stage == "sampling":
            self._sampling = at.total
        if (at.cell, at.stage) in self._spans:
            self._spans[at.cell, at.stage].take(share, now)
        else:
            self._finish(at.cell, now)
            self._spans[at.cell, at.stage] = _Span(now, share, now, share, at.total)
        self._most_running = max(self._most_running, len(self._running()))

    def end(self, cell: int) -> None:
        """Take the end of a cell: one without progress had nothing to do."""
        self._finish(cell, self._clock())
        self._ended.add(cell)

    def of_cell(self, cell: int) -> float | None:
        """Seconds left of a cell, all of its stages included; None before that is known."""
        left = 0.0
        for stage in STAGES:
            share = self._share_left(cell, stage)
            if not share or not self._rows(cell, stage):
                continue
            speed = self._seconds_per_row(stage, cell)
            if speed is None:
                return None
            left += share * self._rows(cell, stage) * speed
        return left

    def of_training(self, cell: int) -> float | None:
        """Seconds left of the training of a cell; None before a few steps, and after the end."""
        span = self._spans.get((cell, "training"))
        if not span or not self._share_left(cell, "training"):
            return None
        if span.gained * span.total < _STEPS - 0.5:
            return None
        return (1 - span.share) * span.seconds(self._clock()) / span.gained

    @property
    def seconds(self) -> float | None:
        """Seconds left of all cells; None before that is known."""
        left = [self.of_cell(cell) for cell in self._unfinished()]
        known = [each for each in left if each is not None]
        if len(known) < len(left) or not self._spans:
            return None
        running = min(self._most_running, len(left)) or 1
        return max([sum(known) / running, *(self.of_cell(each) or 0.0 for each in self._running())])

    def in_words(self, cell: int | None = None) -> str:
        """Time left of a cell, or of all of them; empty before it is known.

        Where only that of training is known, it follows ">".
        """
        seconds = self.seconds if cell is None else self.of_cell(cell)
        if seconds is not None:
            return f"{rough_time(seconds)} left"
        training = map(self.of_training, self._running() if cell is None else [cell])
        least = max((each for each in training if each is not None), default=None)
        return "" if least is None else f">{rough_time(least)} left"

    def __str__(self) -> str:
        """Why the time left is unknown at this moment; empty where it is known."""
        if not self._spans:
            return "starting …"
        return "" if self.in_words() else ESTIMATING

    def _finish(self, cell: int, now: float) -> None:
        """End the last stage of a cell."""
        for stage in reversed(STAGES):
            if span := self._spans.get((cell, stage)):
                span.take(1.0, now)
                return

    def _unfinished(self) -> list[int]:
        return [cell for cell in range(1, len(self._training) + 1) if cell not in self._ended]

    def _running(self) -> set[int]:
        return {cell for cell, _ in tuple(self._spans)} - self._ended

    def _rows(self, cell: int, stage: str) -> float:
        return self._training[cell - 1] if stage == "training" else self._sampling

    def _share_left(self, cell: int, stage: str) -> float:
        if cell in self._ended:
            return 0.0
        own = {each for number, each in tuple(self._spans) if number == cell}
        if any(each in own for each in STAGES[STAGES.index(stage) + 1 :]):
            return 0.0  # a later stage has begun
        return 1.0 - self._spans[cell, stage].share if stage in own else 1.0

    def _seconds_per_row(self, stage: str, cell: int) -> float | None:
        """Speed of a stage: in this cell, else in all cells; None before it is known."""
        now = self._clock()
        own = self._spans.get((cell, stage))
        if own and own.gained >= _LEAST and self._rows(cell, stage):
            return own.seconds(now) / (own.gained * self._rows(cell, stage))
        spans = [
            (span, self._rows(number, name))
            for (number, name), span in tuple(self._spans.items())  # other threads add spans
            if name == stage and span.gained
        ]
        if sum(span.gained for span, _ in spans) >= _LEAST:
            rows = sum(span.gained * rows for span, rows in spans)
            return sum(span.seconds(now) for span, _ in spans) / rows if rows else None
        if stage == "scoring":
            sampling = self._seconds_per_row("sampling", cell)
            return None if sampling is None else _SCORING * sampling
        return None


def clock(seconds: float) -> str:
    """A time that has passed, to the second: 0:42, 2:40, 1:02:40."""
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02d}:{rest:02d}" if hours else f"{minutes}:{rest:02d}"


def rough_time(seconds: float) -> str:
    """A time to two digits at most: 40 s, 3 min, 1.5 h."""
    if seconds < 90:
        return f"{max(1.0, seconds):.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 5400 else f"{seconds / 3600:.1f} h"
