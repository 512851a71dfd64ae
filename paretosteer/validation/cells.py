"""The verdict on one cell: every check, whatever its files are."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from paretosteer.cells.holder import holder
from paretosteer.cells.record import RECORD, schema
from paretosteer.cells.unfinished import LOCK
from paretosteer.errors import first_line
from paretosteer.validation import code, configuration, cost, files, place, scores, vectors
from paretosteer.validation.evidence import Check, Evidence
from paretosteer.validation.problem import Problem, Verdict, fault
from paretosteer.validation.reading import RefusedError, read_json

if TYPE_CHECKING:
    from paretosteer.interfaces import Array

_CHECKS: tuple[Check, ...] = (
    place.place,
    files.digests,
    files.strangers,
    files.checkpoint,
    files.stages,
    vectors.preferences,
    vectors.normaliser,
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
_CELL_NAME = re.compile(r"seed\d+-[0-9a-f]{10}")


@dataclass(frozen=True)
class Found:
    """A cell with its verdict and what reports are checked against.

    `values` (points, m) are None where the scores are no use.
    """

    verdict: Verdict
    record: dict[str, Any]
    values: Array | None


def cell_folders(folder: Path) -> Iterator[Path]:
    """Cells at or below a folder, as every command finds them; links are not followed."""
    for where, below, names in os.walk(folder):
        below.sort()
        path = Path(where)
        if RECORD in names or _CELL_NAME.fullmatch(path.name):
            below.clear()
            yield path


def check_cell(folder: Path) -> Found:
    """Check one cell. No state of it is an error."""
    if not (folder / RECORD).exists() and not (folder / RECORD).is_symlink():
        return Found(Verdict(folder, "cell", reason=_missing(folder)), {}, None)
    try:
        record = read_json(folder, RECORD)
        problem = _schema_problem(record)
    except RefusedError as refused:
        problem = str(refused)
    except RecursionError:
        problem = f"{RECORD} is nested too deeply"
    if problem:
        return Found(Verdict(folder, "cell", [fault(problem)]), {}, None)
    if record["status"] in ("failed", "unsupported"):
        return Found(Verdict(folder, "cell", reason=_reason(record)), record, None)
    cell = Evidence(folder, record)
    misshapen = _run((vectors.vectors,), cell)  # every other check relies on their lengths
    problems = misshapen or _run(_CHECKS, cell)
    ordered = sorted(problems, key=lambda problem: problem.is_note)
    return Found(Verdict(folder, "cell", ordered), _summary(record), cell.values)


def _run(checks: tuple[Check, ...], cell: Evidence) -> list[Problem]:
    """What the checks find; one that cannot be made is a fault and stops none of the others."""
    problems = []
    for check in checks:
        try:
            problems += list(check(cell))
        except Exception as error:  # whatever somebody's files do to a library underneath
            told = f"{type(error).__name__}: {first_line(error)[:120]}"
            problems.append(fault(f"{check.__name__} could not be checked ({told})"))
    return problems


def _missing(folder: Path) -> str:
    who = holder(folder / LOCK)
    return f"missing, no {RECORD}: {f'{who} works on it' if who else 'interrupted, or not begun'}"


def _reason(record: dict[str, Any]) -> str:
    error = record.get("error")
    told = f"{error['type']} while in {error['stage']}: {error['message']}" if error else ""
    return f"{record['status']}, {' '.join((told or record.get('reason') or '').split())}"


def _schema_problem(record: Any) -> str:
    """What breaks the schema, the most telling fault first; nothing where it is kept."""
    from jsonschema.exceptions import best_match

    error = best_match(_validator().iter_errors(record))
    if error is None:
        return ""
    where = ".".join(map(str, error.absolute_path)) or "top level"
    return f"{RECORD} breaks its schema: {where}: {error.message[:160]}"


@cache
def _validator() -> Any:
    from jsonschema import Draft202012Validator

    return Draft202012Validator(schema())


def _summary(record: dict[str, Any]) -> dict[str, Any]:
    """What reports are checked against; ten thousand whole records would fill the memory."""
    kept = ("seed", "fold", "created", "files", "points", "oracle", "reference")
    return {name: record[name] for name in kept if name in record}
