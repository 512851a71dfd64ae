"""`--overwrite`: what becomes of cells that were run before."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from paretosteer.cells.files import cleared, remove
from paretosteer.cells.record import RECORD, read_record
from paretosteer.cells.unfinished import LOCK
from paretosteer.errors import UsageError

if TYPE_CHECKING:
    from paretosteer.cells.plan import CellPlan


def left_alone(plan: CellPlan) -> dict[str, Any] | None:
    """The record of a cell that was tried and, by `--overwrite never`, is not tried again."""
    if plan.config.overwrite != "never":
        return None
    try:
        record = read_record(plan.folder)
    except UsageError:
        return None
    return record if record["config"] == plan.config.model_dump(mode="json") else None


def forget(plans: Sequence[CellPlan]) -> None:
    """Remove all that these cells left, so that they begin anew.

    Raises
    ------
    UsageError
        If another job works on one of them; where one does so already, nothing is removed.

    """
    cells = [plan.folder for plan in plans if plan.folder.is_dir()]
    for cell in cells:
        with _owned_at_once(cell):
            pass
    for cell in cells:
        with _owned_at_once(cell):
            _empty(cell)


@contextmanager
def _owned_at_once(cell: Path) -> Iterator[None]:
    from filelock import FileLock, Timeout

    try:
        with FileLock(cleared(cell / LOCK), timeout=0):
            yield
    except Timeout:
        raise UsageError(
            f"--overwrite: another job works on {cell}; wait for it, or stop it"
        ) from None


def _empty(cell: Path) -> None:
    """The record goes first: what is half removed is no result."""
    remove(cell / RECORD)
    for path in cell.iterdir():
        if path.name != LOCK:
            remove(path)
