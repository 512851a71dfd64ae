"""Locks on folders: one job owns a cell or a report, and anyone can ask who does."""

from __future__ import annotations

import os
import stat
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from paretosteer.errors import UsageError
from paretosteer.storage.atomic import cleared

_LOCKS = Path("/proc/locks")


def holder(lock: Path) -> str:
    """The live process that holds a file lock, as far as the system tells; nothing where none does.

    No lock is made where there is none, and nothing is waited for, not even a pipe of that name.
    """
    import fcntl

    try:
        handle = os.open(lock, os.O_RDONLY | os.O_NONBLOCK | os.O_NOFOLLOW)
    except OSError:
        return ""
    try:
        found = os.fstat(handle)
        if stat.S_ISREG(found.st_mode):
            fcntl.flock(handle, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return _process(found.st_ino)
    except OSError:
        return ""
    finally:
        os.close(handle)
    return ""


def _process(inode: int) -> str:
    """The process by its number, which Linux lists (proc(5))."""
    try:
        rows = [line.split() for line in _LOCKS.read_text(encoding="ascii").splitlines()]
    except OSError:
        return "a process"
    numbers = [row[4] for row in rows if len(row) > 5 and row[5].endswith(f":{inode}")]
    known = next((number for number in numbers if number.isdigit() and number != "0"), "")
    return f"process {known}" if known else "a process"


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
