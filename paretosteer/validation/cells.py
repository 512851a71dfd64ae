"""The verdict on one cell: every check, whatever its files are."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from paretosteer.cells.holder import holder
from paretosteer.cells.reading import RefusedError, read_json
from paretosteer.cells.record import MOST_BYTES, RECORD, problem, reason
from paretosteer.cells.unfinished import LOCK
from paretosteer.errors import PLUGIN_ERRORS, first_line
from paretosteer.validation import code, configuration, cost, files, place, scores, vectors
from paretosteer.validation.evidence import Check, Evidence
from paretosteer.validation.problem import Problem, Verdict, fault

if TYPE_CHECKING:
    from paretosteer.interfaces import Array

# Every other check relies on vectors of these lengths, and on there being something to check.
_FIRST: tuple[Check, ...] = (vectors.vectors, files.present)
_CHECKS: tuple[Check, ...] = (
    place.place,
    files.digests,
    files.strangers,
    files.checkpoint,
    files.stages,
    vectors.preferences,
    scores.counts,
    scores.scores,
    scores.others,
    cost.cost,
    cost.log,
    configuration.written,
    configuration.follows,
    configuration.grid,
    code.code,
    code.failures,
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
    problems = unfit or _run(_CHECKS, cell)
    ordered = sorted(problems, key=lambda problem: problem.is_note)
    return Found(Verdict(folder, "cell", ordered), _summary(record), cell.values)


def _run(checks: tuple[Check, ...], cell: Evidence) -> list[Problem]:
    """What the checks find; one that cannot be made is a fault and stops none of the others."""
    problems = []
    for check in checks:
        try:
            problems += list(check(cell))
        except PLUGIN_ERRORS as error:  # whatever somebody's files do to a library underneath
            told = f"{type(error).__name__}: {first_line(error)[:120]}"
            problems.append(fault(f"{check.__name__} could not be checked ({told})"))
    return problems


def _missing(folder: Path) -> str:
    who = holder(folder / LOCK)
    return f"missing, no {RECORD}: {f'{who} works on it' if who else 'interrupted, or not begun'}"


def _summary(record: dict[str, Any]) -> dict[str, Any]:
    """What reports are checked against; ten thousand whole records would fill the memory."""
    kept = ("seed", "fold", "created", "files", "points", "oracle", "reference")
    return {name: record[name] for name in kept if name in record}
