"""`--overwrite all`: cells that were run before begin anew."""

from __future__ import annotations

import shutil
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from paretosteer.cells.record import RECORD
from paretosteer.cells.unfinished import LOCK
from paretosteer.errors import UsageError

if TYPE_CHECKING:
    from paretosteer.cells.plan import CellPlan


def forget(plans: Sequence[CellPlan]) -> None:
    """Remove all that these cells left, so that they begin anew.

    Raises
    ------
    UsageError
        If another job works on one of them; nothing is removed then.

    """
    from filelock import FileLock, Timeout

    locks = [FileLock(plan.folder / LOCK) for plan in plans if plan.folder.is_dir()]
    try:
        for lock in locks:
            try:
                lock.acquire(timeout=0)
            except Timeout:
                raise UsageError(
                    f"--overwrite: another job works on {Path(lock.lock_file).parent}; "
                    "wait for it, or stop it"
                ) from None
        for lock in locks:
            _empty(Path(lock.lock_file).parent)
    finally:
        for lock in locks:
            lock.release()


def _empty(cell: Path) -> None:
    """The record goes first: what is half removed is no result."""
    (cell / RECORD).unlink(missing_ok=True)
    for path in cell.iterdir():
        if path.is_dir() and not path.is_symlink():
            shutil.rmtree(path)
        elif path.name != LOCK:
            path.unlink()
