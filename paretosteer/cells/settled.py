"""Whether a cell needs to be run at all: what an earlier run of it left."""

from __future__ import annotations

import os
from typing import Any

from paretosteer.cells import provenance
from paretosteer.cells.overwrite import left_alone
from paretosteer.cells.plan import CellPlan
from paretosteer.cells.record import RECORD, read_record
from paretosteer.cells.resolved import keep_config
from paretosteer.cells.state import STAGES
from paretosteer.errors import UsageError
from paretosteer.plugins.used import used
from paretosteer.progress import say


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
