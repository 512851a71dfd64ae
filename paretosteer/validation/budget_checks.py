"""Checks of what a cell spent: against its budget, and against its training log."""

import csv
from collections.abc import Iterator
from io import StringIO

from paretosteer.findings import Finding, fault
from paretosteer.storage.untrusted import RefusedError
from paretosteer.validation.evidence import Evidence

_LOG = "training.csv"


def cost(cell: Evidence) -> Iterator[Finding]:
    """Check that the cell kept to its budget's cap."""
    steps, cap = cell.record.cost.train_steps, cell.record.config.get("budget", {}).get("steps")
    if cap is not None and steps > cap and not cell.record.exempt:
        yield fault(
            f"took {steps} optimiser steps, the budget has {cap}, and its method is not exempt"
        )


def log(cell: Evidence) -> Iterator[Finding]:
    """Check that the training log ends at the record's number of steps."""
    if _LOG not in cell.record.files:
        return
    try:
        text = StringIO(cell.content(_LOG).decode("utf-8"), newline="")
        steps = [int(row["step"]) for row in csv.DictReader(text)]
    except RefusedError as refused:
        yield fault(str(refused))
        return
    except (ValueError, KeyError, TypeError, csv.Error):
        yield fault(f"{_LOG} is not a training log")
        return
    last, recorded = (steps[-1] if steps else 0), cell.record.cost.train_steps
    if last != recorded:
        yield fault(f"{_LOG} ends at step {last}, the record has {recorded} optimiser steps")
