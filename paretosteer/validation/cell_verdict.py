"""The verdict on one cell: every check, whatever its files are."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from paretosteer.cells.record import MOST_BYTES, RECORD, problem, reason
from paretosteer.errors import PLUGIN_ERRORS, first_line
from paretosteer.findings import Finding, fault
from paretosteer.storage.locks import LOCK, holder
from paretosteer.storage.untrusted import RefusedError, read_json
from paretosteer.validation import (
    code_versions,
    config_checks,
    cost,
    file_digests,
    folder_name,
    recompute_scores,
    vectors,
)
from paretosteer.validation.evidence import Check, Evidence
from paretosteer.validation.verdict import Verdict

if TYPE_CHECKING:
    from paretosteer.interfaces import Array

# Every other check relies on vectors of these lengths, and on there being something to check.
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
    cost.cost,
    cost.log,
    config_checks.written,
    config_checks.follows,
    config_checks.grid,
    code_versions.code,
    code_versions.failures,
)


@dataclass(frozen=True)
class Found:
    """A cell with its verdict and what reports are checked against.

    `values` (points, m) are None where the scores are no use.
    """

    verdict: Verdict
    record: dict[str, Any]
    values: Array | None


def check_cell(folder: Path) -> Found:
    """Check one cell. No state of it is an error."""
    if not (folder / RECORD).exists() and not (folder / RECORD).is_symlink():
        return Found(Verdict(folder, "cell", reason=_missing(folder)), {}, None)
    try:
        record = read_json(folder, RECORD, MOST_BYTES)
    except RefusedError as refused:
        return Found(Verdict(folder, "cell", [fault(str(refused))]), {}, None)
    if wrong := problem(record):
        broken = fault(f"{RECORD} breaks its schema: {wrong}")
        return Found(Verdict(folder, "cell", [broken]), {}, None)
    if record["status"] in ("failed", "unsupported"):
        told = " ".join(f"{record['status']}, {reason(record)}".split())
        return Found(Verdict(folder, "cell", reason=told), record, None)
    cell = Evidence(folder, record)
    unfit = _run(_FIRST, cell)
    verdict = Verdict(folder, "cell", unfit or _run(_CHECKS, cell))
    return Found(verdict, _summary(record), cell.values)


def _run(checks: tuple[Check, ...], cell: Evidence) -> list[Finding]:
    """Findings of the checks. One that raises is a fault and stops none of the others."""
    findings = []
    for check in checks:
        try:
            findings += [replace(finding, check=check.__name__) for finding in check(cell)]
        except PLUGIN_ERRORS as error:  # whatever somebody's files do to a library underneath
            told = f"{type(error).__name__}: {first_line(error)[:120]}"
            found = f"{check.__name__} could not be checked ({told})"
            findings.append(Finding("fault", check.__name__, found))
    return findings


def _missing(folder: Path) -> str:
    who = holder(folder / LOCK)
    return f"missing, no {RECORD}: {f'{who} works on it' if who else 'interrupted, or not begun'}"


def _summary(record: dict[str, Any]) -> dict[str, Any]:
    """What reports are checked against; ten thousand whole records would fill the memory."""
    kept = ("seed", "fold", "created", "files", "points", "oracle", "reference")
    return {name: record[name] for name in kept if name in record}
