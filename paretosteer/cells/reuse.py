"""Decide from the results of earlier runs whether a cell must run."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from typing import Any

from paretosteer.cells import provenance
from paretosteer.cells.config_yaml import restore_config
from paretosteer.cells.maker import Maker
from paretosteer.cells.plan import CellPlan
from paretosteer.cells.record import RECORD, Record, ScoredRecord, read_record
from paretosteer.cells.state import STAGES, State
from paretosteer.config.dotted_names import by_dotted_name
from paretosteer.errors import UsageError
from paretosteer.plugins.in_use import used
from paretosteer.runtime.progress import say
from paretosteer.storage.atomic import remove
from paretosteer.storage.locks import LOCK, owned

# Settings that change no result, or only its last digits.
_NO_RESULT = {
    *("tracker", "threads", "device", "sweep_dir", "checkpoint_seconds", "score_seconds"),
    *("budget.name", "budget.eval_rows"),
}


def existing_record(plan: CellPlan) -> Record | None:
    """Record of a cell that need not run: it is finished, or not to be run again."""
    if (record := _finished(plan)) is not None:
        return record
    if (record := skipped_record(plan)) is not None:
        say(f"{plan.title}: {record.status} before, not tried again")
        if has_other_inputs(plan, record):
            say(
                f"{plan.title}: warning: its inputs have changed since, such as the file of its "
                "preferences; the record is of the earlier ones, so run it without "
                "overwrite=never"
            )
        _say_maker(plan, record, plan.state)
    return record


def warn_of_replacement(plan: CellPlan) -> None:
    """Report the damage of a record before it is replaced, or that it has other results."""
    if os.path.lexists(plan.folder / RECORD):
        try:
            record = read_record(plan.folder)
        except UsageError as error:
            say(f"{error}: written again")
            return
        if other := other_results(plan, record):
            say(f"{plan.title}: warning: replaces {other}")


def other_results(plan: CellPlan, record: Record) -> str:
    """How the results of a record were made otherwise than is planned, in words.

    Empty if the record has no results, or the planned ones.
    """
    if not isinstance(record, ScoredRecord) or not has_other_inputs(plan, record):
        return ""
    planned = dict(by_dotted_name(plan.config.model_dump(mode="json")))
    names = [
        name
        for name in differing(dict(by_dotted_name(record.config)), planned)
        if not {name, name.partition(".")[0]} & _NO_RESULT
    ]
    if names:
        return f"results that were made with other settings: {', '.join(names)}"
    return "results that were made from other input files or by another version of the code"


def differing(one: Mapping[str, Any], other: Mapping[str, Any]) -> list[str]:
    """Names of settings that differ."""
    return [name for name in {**other, **one} if one.get(name) != other.get(name)]


def _finished(plan: CellPlan) -> Record | None:
    """Record of a cell that is complete, with a note if other code made it."""
    try:
        record = read_record(plan.folder)
    except UsageError:
        return None
    if not isinstance(record, ScoredRecord) or record.status != "ok":
        return None
    if record.stages != plan.digests:
        return None
    state = plan.state
    if state.finished(plan.digests) != list(STAGES) or not state.are_of(record.files):
        return None
    restore_config(plan.folder, record, say)
    say(f"{plan.title}: finished before, reused")
    _say_maker(plan, record, state)
    return record


def _say_maker(plan: CellPlan, record: Record, state: State) -> None:
    """Say where the stages of a kept record have another maker than they would have now."""
    if record.source_digest != provenance.source_digest(used(plan.config)):
        say(f"{plan.title}: note: made by other code (commit {record.git.commit})")
    done = [name for name in record.stages if name in state.stages]
    for caveat in Maker.of(plan).other_origins(state, done):
        say(f"{plan.title}: note: {caveat}")


def skipped_record(plan: CellPlan) -> Record | None:
    """Record of a cell that ran before and that `--overwrite never` does not run again."""
    if plan.config.overwrite != "never":
        return None
    try:
        record = read_record(plan.folder)
    except UsageError:
        return None
    return record if record.config == plan.config.model_dump(mode="json") else None


def has_other_inputs(plan: CellPlan, record: Record) -> bool:
    """True if a file that a recorded stage read has changed, such as that of the preferences."""
    return any(plan.digests.get(name) != known for name, known in record.stages.items())


def delete_results(plans: Sequence[CellPlan]) -> None:
    """Empty the folders of these cells, so that they run from scratch.

    Raises
    ------
    UsageError
        If another job is working on one of them. Nothing is removed if it already is.

    """
    cells = [plan.folder for plan in plans if plan.folder.is_dir()]
    for cell in cells:
        with owned(cell, say, wait=False):
            pass
    for cell in cells:
        with owned(cell, say, wait=False):
            remove(cell / RECORD)  # first: a folder that is half removed must not look finished
            for path in cell.iterdir():
                if path.name != LOCK:
                    remove(path)
