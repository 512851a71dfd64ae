"""Time left of a sweep: the time so far over the share of its work that is done."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence

from paretosteer.runtime.progress import Progress

# Work of a row in training, in rows of sampling: measured on small models.
TRAINING = 2.0
_Shares = tuple[float, float]
_LEAST = 0.02  # share of the work that must be done before there is an estimate


class TimeLeft:
    """Estimate from progress; one row that is sampled and scored is one unit of work.

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
        self._training = [TRAINING * rows for rows in training]
        self._sampling, self._clock = sampling, clock
        self._began: float | None = None
        # Shares of training and sampling that are done, by cell: when it began here, and now.
        self._before: dict[int, _Shares] = {}
        self._now: dict[int, _Shares] = {}

    def progress(self, at: Progress) -> None:
        """Take the state of a stage."""
        if not at.total:
            return
        if at.stage == "training":
            self._take(at.cell, (at.done / at.total, 0.0))
        elif at.stage == "sampling":
            self._sampling = at.total
            self._take(at.cell, (1.0, at.done / at.total))
        if self._began is None:
            self._began = self._clock()

    def end(self, cell: int) -> None:
        """Take the end of a cell: one without progress had nothing to do."""
        self._take(cell, (1.0, 1.0))

    @property
    def seconds(self) -> float | None:
        """Seconds left; None before there is enough to go by."""
        work = sum(self._training) + len(self._training) * self._sampling
        left = work - self._work(self._now)
        gained = self._work(self._now) - self._work(self._before)
        if self._began is None or gained < _LEAST * (left + gained):
            return None
        return (self._clock() - self._began) * left / gained

    def _take(self, cell: int, shares: _Shares) -> None:
        self._now[cell] = shares
        self._before.setdefault(cell, shares)

    def _work(self, done: Mapping[int, _Shares]) -> float:
        return sum(
            trained * self._training[cell - 1] + sampled * self._sampling
            for cell, (trained, sampled) in tuple(done.items())  # other threads add cells
        )

    def __str__(self) -> str:
        """Time left in words at this moment, or why it is unknown."""
        if self._began is None:
            return "starting …"
        if self.seconds is None:
            return "estimating the time left"
        return f"about {rough_time(self.seconds)} left"


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
