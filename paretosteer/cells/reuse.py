"""Whether a cell needs to be run at all: what an earlier run of it left."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from paretosteer.cells import provenance
from paretosteer.cells.config_yaml import keep_config
from paretosteer.cells.plan import CellPlan
from paretosteer.cells.record import RECORD, read_record
from paretosteer.cells.state import STAGES
from paretosteer.errors import UsageError
from paretosteer.plugins.in_use import used
from paretosteer.runtime.progress import say
from paretosteer.storage.atomic import cleared, remove
from paretosteer.storage.locks import LOCK


def settled(plan: CellPlan) -> dict[str, Any] | None:
    """The record of a cell that is not to be run: finished, or not to be tried again."""
    if (record := _finished(plan)) is not None:
        return record
    if (record := left_alone(plan)) is not None:
        say(f"{plan.folder.name}: {record['status']} before, not tried again")
    return record


def say_if_damaged(plan: CellPlan) -> None:
    """Say what is wrong with a record that is about to be written again."""
    if os.path.lexists(plan.folder / RECORD):
        try:
            read_record(plan.folder)
        except UsageError as error:
            say(f"{error}: written again")


def _finished(plan: CellPlan) -> dict[str, Any] | None:
    """The record of a cell that needs nothing more, with a note if other code made it."""
    try:
        record = read_record(plan.folder)
    except UsageError:
        return None
    if record["status"] != "ok" or record["stages"] != plan.digests:
        return None
    state = plan.state
    if state.finished(plan.digests) != list(STAGES) or not state.are_of(record["files"]):
        return None
    keep_config(plan.folder, record, say)
    say(f"{plan.folder.name}: finished before, reused")
    if record["source_digest"] != provenance.source_digest(used(plan.config)):
        say(f"{plan.folder.name}: note: made by other code (commit {record['git']['commit']})")
    return record


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
