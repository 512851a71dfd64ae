"""Verdict on one cell from every check; damaged or forged files are findings, not errors."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from paretosteer.cells.record import MOST_BYTES, RECORD, Record, ScoredRecord, parse_record
from paretosteer.errors import PLUGIN_ERRORS, first_line
from paretosteer.findings import Finding, fault
from paretosteer.storage.locks import is_owned
from paretosteer.storage.untrusted import RefusedError, read_json
from paretosteer.validation import (
    budget_checks,
    code_versions,
    config_checks,
    file_digests,
    folder_name,
    recompute_scores,
    vectors,
)
from paretosteer.validation.evidence import Check, Evidence
from paretosteer.validation.verdict import Verdict

if TYPE_CHECKING:
    from paretosteer.interfaces import Array

# Every other check relies on vectors of the right lengths and on the presence of files.
_FIRST: tuple[Check, ...] = (vectors.vectors, file_digests.present)
_CHECKS: tuple[Check, ...] = (
    folder_name.place,
    file_digests.digests,
    file_digests.strangers,
    file_digests.checkpoint,
    file_digests.stages,
    vectors.preferences,
    recompute_scores.counts,
    recompute_scores.scores,
    recompute_scores.others,
    budget_checks.cost,
    budget_checks.log,
    config_checks.written,
    config_checks.follows,
    config_checks.grid,
    code_versions.code,
    code_versions.reuse,
    code_versions.failures,
)


@dataclass(frozen=True)
class Found:
    """A cell with its verdict and what reports are checked against.

    `record` is None where it cannot be read. The scores `values` in standard units, (points,
    prompts, m), and the points `raw`, (points, m), are None where the scores cannot be used.
    """

    verdict: Verdict
    record: Record | None = None
    values: Array | None = None
    raw: Array | None = None


def check_cell(folder: Path) -> Found:
    """Check one cell; never raises, whatever its state."""
    if not (folder / RECORD).exists() and not (folder / RECORD).is_symlink():
        return Found(Verdict(folder, "cell", reason=_missing(folder)))
    try:
        record = parse_record(read_json(folder, RECORD, MOST_BYTES))
    except RefusedError as refused:
        return Found(Verdict(folder, "cell", [fault(str(refused))]))
    except ValueError as error:
        return Found(Verdict(folder, "cell", [fault(f"{RECORD} breaks its schema: {error}")]))
    if not isinstance(record, ScoredRecord):
        reason = " ".join(f"{record.status}, {record.explanation}".split())
        return Found(Verdict(folder, "cell", reason=reason), record)
    cell = Evidence(folder, record)
    unfit = _run(_FIRST, cell)
    verdict = Verdict(folder, "cell", unfit or _run(_CHECKS, cell))
    return Found(verdict, record, cell.values, cell.raw)


def _run(checks: tuple[Check, ...], cell: Evidence) -> list[Finding]:
    """Findings of the checks. One that raises is a fault and stops none of the others."""
    findings = []
    for check in checks:
        try:
            findings += [replace(finding, check=check.__name__) for finding in check(cell)]
        except PLUGIN_ERRORS as error:  # forged files may raise anything in a library
            message = f"{type(error).__name__}: {first_line(error)[:120]}"
            found = f"{check.__name__} could not be checked ({message})"
            findings.append(Finding("fault", check.__name__, found))
    return findings


def _missing(folder: Path) -> str:
    state = "a job is working on it" if is_owned(folder) else "interrupted, or not started"
    return f"missing, no {RECORD}: {state}"
