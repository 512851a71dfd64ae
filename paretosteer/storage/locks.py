"""Locks on folders: one job at a time owns a cell or a report."""

from __future__ import annotations

import os
import stat
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from paretosteer.errors import UsageError
from paretosteer.storage.atomic import cleared

LOCK = ".lock"


@contextmanager
def owned(folder: Path, say: Callable[[str], None], wait: bool = True) -> Iterator[None]:
    """Own the folder of a cell or of a report, by default after waiting for another owner.

    A job that dies owns nothing.

    Raises
    ------
    UsageError
        If another job owns it and `wait` is false.

    """
    from filelock import FileLock, Timeout

    folder.mkdir(parents=True, exist_ok=True)
    lock = FileLock(cleared(folder / LOCK))
    try:
        lock.acquire(timeout=0)
    except Timeout:
        if not wait:
            raise UsageError(
                f"another job is working on {folder}; wait for it, or stop it"
            ) from None
        say(f"another job is working on {folder}, waiting for it")
        lock.acquire()
    try:
        yield
    finally:
        lock.release()


def is_owned(folder: Path) -> bool:
    """True if a live process owns the folder. Neither locks nor waits."""
    import fcntl

    try:
        # Opening a pipe of that name would wait for a writer.
        handle = os.open(folder / LOCK, os.O_RDONLY | os.O_NONBLOCK | os.O_NOFOLLOW)
    except OSError:
        return False
    try:
        if stat.S_ISREG(os.fstat(handle).st_mode):
            fcntl.flock(handle, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    except OSError:
        return False
    finally:
        os.close(handle)
    return False
