"""Verdict on a report: is it of these cells, and do its points and metrics follow from them?

Reports round figures to six digits, so figures within one part in 100,000 of each other agree.
"""

from __future__ import annotations

import csv
import os
from collections.abc import Iterator, Mapping, Sequence
from io import StringIO
from math import isclose
from pathlib import Path
from typing import Any

import numpy as np

from paretosteer.cells.record import ScoredRecord
from paretosteer.cells.scores import metric_inputs
from paretosteer.errors import first_line
from paretosteer.findings import Finding, fault, note
from paretosteer.metrics.measure import Frame
from paretosteer.metrics.optimum import Optimum
from paretosteer.report.outputs.csv_text import csv_text
from paretosteer.report.report_folder import SUMS
from paretosteer.storage.untrusted import MOST_TEXT, RefusedError, digest, read, read_json
from paretosteer.validation.cell_verdict import Found
from paretosteer.validation.recompute_metrics import Replicate, common_optima, recomputed
from paretosteer.validation.stale_report import Matched, match
from paretosteer.validation.verdict import Verdict

REPORT = "report.json"
RELATIVE, ABSOLUTE = 1e-5, 1e-9
_MOST_SHOWN = 3


def report_folders(folder: Path) -> Iterator[Path]:
    """Folders with a report: those named `report` at or below a folder, and a published folder.

    Links are not followed.
    """
    for where, below, names in os.walk(folder):
        below.sort()
        if REPORT in names and Path(where).name == "report":
            below.clear()
            yield Path(where)
        elif REPORT in names and Path(where) == folder:
            yield Path(where)


def check_report(folder: Path, cells: Sequence[Found]) -> Verdict:
    """Check a report against the cells that were found, those below its parent folder."""
    sweep = folder.resolve().parent
    own = [each for each in cells if each.verdict.path.resolve().is_relative_to(sweep)]
    try:
        content = read_json(folder, REPORT)
        matched = match(content["cells"], sweep, own)
        findings = [*_sums(folder), *_against(content, matched), *_board(folder, content["tables"])]
    except RefusedError as refused:
        return Verdict(folder, "report", [_wrong(str(refused))])
    except Exception as error:  # forged JSON can have any form
        message = f"{type(error).__name__}: {first_line(error)[:120]}"
        wrong = _wrong(f"{REPORT} is not a file that `report` writes ({message})")
        return Verdict(folder, "report", [wrong])
    lacking = f"figures unchecked, {matched.elsewhere} of its cells are elsewhere"
    return Verdict(folder, "report", findings, lacking if matched.elsewhere else "")


def _sums(folder: Path) -> Iterator[Finding]:
    """Check the digest of every file of the report, page, tables and a published card included."""
    if not os.path.lexists(folder / SUMS):
        yield note(f"{SUMS} is absent, so page, tables and figures are not checked")
        return
    for line in read(folder, SUMS, MOST_TEXT).decode("utf-8").splitlines():
        made, _, name = line.partition("  ")
        try:
            if digest(folder, name) != made:
                yield _wrong(f"{name} was changed after the report was written")
        except RefusedError as refused:
            yield _wrong(str(refused))


def _against(content: Mapping[str, Any], matched: Matched) -> Iterator[Finding]:
    """Check points and metrics, if the report's cells are all here."""
    if matched.differences:
        yield _wrong(f"is stale; cells since it was made: {matched.differences}")
        return
    if matched.elsewhere:
        return
    for table in content["tables"]:
        others = [each for each in content["tables"] if _differs_in_grid(table, each)]
        yield from _table(table, others, matched.here)
    if hidden := _counting(content["cells"], matched) - _shown(content["tables"], matched):
        yield _wrong(f"{len(hidden)} cells with scores are in none of its rows")


def _counting(reported: Sequence[Mapping[str, Any]], matched: Matched) -> set[str]:
    """Scored cells that no other of their configuration and seed supersedes."""
    return {
        each["path"]
        for each in reported
        if not each["superseded_by"] and matched.here[each["path"]].values is not None
    }


def _shown(tables: Sequence[Mapping[str, Any]], matched: Matched) -> set[str]:
    rows = [row for table in tables for row in table["rows"] if row.get("replicates")]
    return {path for row in rows for path in _paths(row, matched.here)}


def _differs_in_grid(one: Mapping[str, Any], other: Mapping[str, Any]) -> bool:
    """True if two tables differ in their preferences only."""
    names = {"model", "prompt_count", "preferences"}
    settings = [
        {name: value for name, value in (each["setting"] or {}).items() if name not in names}
        for each in (one, other)
    ]
    return one is not other and bool(settings[0]) and settings[0] == settings[1]


def _table(
    table: Mapping[str, Any], other_grids: Sequence[Mapping[str, Any]], cells: Mapping[str, Found]
) -> Iterator[Finding]:
    """Check points and metrics of one table, given those at other preferences."""
    scored, kept = _scored_cells(table, cells)
    if not scored:
        return
    number = table["number"]
    if any(len(row["replicates"]) != len(own) for row, own in zip(scored, kept, strict=True)):
        yield fault(
            f"table {number}: cannot be checked, some of its cells have no trusted scores",
            "fix its cells, then make the report again",
        )
        return
    rows = [[_replicate(cell) for cell in own] for own in kept]
    for row, found in zip(scored, rows, strict=True):
        yield from _points(number, row, found)
    first = _scored(kept[0][0])
    oracle = scored[0]["figures"]["ratio_to"] == "oracle"
    optima = common_optima(rows) if oracle else None
    if oracle and not optima:
        yield _wrong(f"table {number}: compares with an oracle that its cells do not share")
        return
    mu = np.array([first.preferences[place] for place in first.ranked_points()])
    given = table.get("raw_reference")
    raw_reference = None if given is None else np.array(given, dtype=float)
    given = table.get("raw_bounds")
    raw_bounds = None if given is None else np.array(given, dtype=float)
    reference, names = np.array(first.reference), first.objective_names
    frame = Frame(mu, reference, names, optima, raw_reference=raw_reference, raw_bounds=raw_bounds)
    elsewhere = [
        [_replicate(cell) for cell in own]
        for other in other_grids
        for own in _scored_cells(other, cells)[1]
        if own
    ]
    again = recomputed(rows, frame, elsewhere)
    for row, figures in zip(scored, again, strict=True):
        yield from _metrics(number, row["figures"], figures)


def _scored_cells(
    table: Mapping[str, Any], cells: Mapping[str, Found]
) -> tuple[list[Mapping[str, Any]], list[list[Found]]]:
    """Scored rows of a table, and the cells of each that have trusted scores."""
    scored = [row for row in table["rows"] if row.get("replicates")]
    own = [[cells[path] for path in _paths(row, cells)] for row in scored]
    return scored, [[cell for cell in row if cell.values is not None] for row in own]


def _points(number: int, row: Mapping[str, Any], found: Sequence[Replicate]) -> Iterator[Finding]:
    for reported, own in zip(row["replicates"], found, strict=True):
        points = np.array(reported["points"], dtype=float)
        if points.shape != own.points.shape or not np.allclose(
            points, own.points, rtol=RELATIVE, atol=ABSOLUTE
        ):
            label, seed = row["figures"]["label"], reported["seed"]
            yield _wrong(
                f"table {number}: points of {label} seed {seed} are not those of its scores"
            )


def _metrics(
    number: int, reported: Mapping[str, Any], again: Mapping[str, float]
) -> Iterator[Finding]:
    wrong = [
        f"{name} {reported.get(name)} (from its points {value:.6g})"
        for name, value in again.items()
        if not _close(reported.get(name), value)
    ]
    if wrong:
        shown = ", ".join(wrong[:_MOST_SHOWN])
        yield _wrong(f"table {number}: {reported['label']}: {shown}")


def _board(folder: Path, tables: Sequence[Mapping[str, Any]]) -> Iterator[Finding]:
    """Check that `leaderboard.csv` has the rows of `report.json`."""
    name = "leaderboard.csv"
    rows = [row["figures"] for table in tables for row in table["rows"]]
    try:
        text = read(folder, name, MOST_TEXT).decode("utf-8")
        found = list(csv.DictReader(StringIO(text, newline="")))
    except (ValueError, csv.Error) as error:
        yield _wrong(f"{name} is not a table ({error})")
        return
    if len(found) != len(rows):
        yield _wrong(f"{name} has {len(found)} rows, {REPORT} has {len(rows)}")
        return
    for place, (line, row) in enumerate(zip(found, rows, strict=True), start=1):
        cells = {name: line.get(csv_text(name)) for name in row}
        wrong = [name for name, value in row.items() if not _written_as(cells[name], value)]
        if wrong:
            yield _wrong(
                f"{name}, row {place}: {', '.join(wrong[:_MOST_SHOWN])} differ from {REPORT}"
            )


def _written_as(cell: str | None, value: Any) -> bool:
    if value is None or cell is None or isinstance(value, str | bool):
        return (cell or "") == ("" if value is None else str(csv_text(value)))
    try:
        return _close(float(cell), value)
    except ValueError:
        return False


def _close(one: Any, other: float) -> bool:
    return isinstance(one, int | float) and isclose(one, other, rel_tol=RELATIVE, abs_tol=ABSOLUTE)


def _replicate(cell: Found) -> Replicate:
    assert cell.values is not None and cell.raw is not None
    record = _scored(cell)
    places = record.ranked_points()
    inputs = metric_inputs(record, cell.raw)
    optimum = None
    if record.oracle:
        optimum = Optimum(np.array(record.oracle.points)[places], np.array(record.oracle.start))
    return Replicate(
        fold=record.fold.index if record.fold else None,
        points=cell.values[places].mean(axis=1),
        optimum=optimum,
        inputs={name: rows[places] for name, rows in inputs.items()}
        | {"scores": cell.values[places]},
    )


def _scored(cell: Found) -> ScoredRecord:
    assert isinstance(cell.record, ScoredRecord)  # it has values
    return cell.record


def _paths(row: Mapping[str, Any], known: Mapping[str, Found]) -> Iterator[str]:
    """Paths of a row's cells, in the order of its replicates; a path may contain spaces."""
    words: list[str] = []
    for word in row["figures"]["paths"].split(" "):
        words.append(word)
        if (path := " ".join(words)) in known:
            yield path
            words = []


def _wrong(message: str) -> Finding:
    return fault(message, "make the report again: paretosteer report")
