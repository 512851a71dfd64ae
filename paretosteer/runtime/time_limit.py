"""Time limit on other people's code: a reward that hangs must not hang a sweep."""

from __future__ import annotations

import signal
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any


class OverrunError(BaseException):
    """Raised if the block takes too long. Not an `Exception`, which the block might catch."""


@contextmanager
def time_limit(seconds: float | None) -> Iterator[None]:
    """Raise OverrunError inside a block that takes longer; None means no limit.

    The limit interrupts whatever returns to the interpreter, sleep and sockets included. Limits
    nest. Signals need the main thread and do not exist on Windows: elsewhere there is no limit.
    """
    here = threading.current_thread() is threading.main_thread() and hasattr(signal, "setitimer")
    if seconds is None or not here:
        yield
        return
    began = time.monotonic()
    handler = signal.signal(signal.SIGALRM, _overrun)
    outer, _ = signal.setitimer(signal.ITIMER_REAL, seconds)
    if outer and outer < seconds:
        signal.setitimer(signal.ITIMER_REAL, outer)
    try:
        try:
            yield
        finally:
            signal.setitimer(signal.ITIMER_REAL, 0)
    finally:  # also where the alarm went off just before it was turned off
        signal.signal(signal.SIGALRM, handler or signal.SIG_DFL)
        if outer:
            left = outer - (time.monotonic() - began)
            signal.setitimer(signal.ITIMER_REAL, max(left, 1e-3))


def _overrun(signum: int, frame: Any) -> None:
    raise OverrunError
