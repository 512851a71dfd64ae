"""Comparison of two sweeps as Markdown (`compare.md`) and CSV (`compare.csv`)."""

import os
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from paretosteer.report.analysis.bootstrap import ENOUGH
from paretosteer.report.analysis.changes import (
    UNCHANGED,
    CellChange,
    Comparison,
    RowChange,
    Shift,
    Shifts,
    compare_sweeps,
)
from paretosteer.report.outputs.csv_text import csv
from paretosteer.report.outputs.text_tables import markdown_escape
from paretosteer.report.report_folder import report_folder, write_files

if TYPE_CHECKING:
    import pandas as pd

HEADINGS = ("Method", "Hypervolume", "Difference", "Controllability", "Difference", "Status")

COLUMNS = (
    "level",
    "benchmark",
    "model",
    "method",
    "variant",
    "label",
    "fold",
    "seed",
    "status",
    "unchanged",
    "hypervolume_before",
    "hypervolume_after",
    "hypervolume_difference",
    "hypervolume_difference_low",
    "hypervolume_difference_high",
    "controllability_before",
    "controllability_after",
    "controllability_difference",
    "reason",
    "changes",
    "path_before",
    "path_after",
)

NOTE = (
    "Differences are B minus A over the folds and seeds that both have, with 95 % intervals over "
    f"shared resamples of prompts and, from {ENOUGH} on, of folds (or seeds without folds). "
    "Unchanged means bitwise equal scores. Cells whose settings differ are compared in part: on "
    "the preferences and prompts that both have, in the units and above the reference point of A."
)


class ComparisonReport(NamedTuple):
    """A comparison and the file to which it was written."""

    comparison: Comparison
    page: Path


def write_comparison(
    before: str | os.PathLike[str],
    after: str | os.PathLike[str],
    out: str | os.PathLike[str] | None = None,
) -> ComparisonReport:
    """Write the changes from one sweep to another, by default into `report` of the latter.

    Raises
    ------
    UsageError
        If a folder does not exist or holds no cell, or `out` is a file.

    """
    folder = report_folder(after, out)
    comparison = compare_sweeps(before, after)
    contents = {
        "compare.csv": csv(comparison_frame(comparison)).encode(),
        "compare.md": comparison_markdown(comparison).encode(),
    }
    write_files(folder, contents)
    return ComparisonReport(comparison, folder / "compare.md")


def comparison_frame(comparison: Comparison) -> "pd.DataFrame":
    """Frame with `COLUMNS`: one line of level `row` per configuration, then one per `cell`.

    A row is unchanged if all of its cells are. Values that do not apply are missing.
    """
    import pandas as pd

    lines = [line for row in comparison.rows for line in _frame_lines(row)]
    frame = pd.DataFrame(lines, columns=list(COLUMNS))
    return frame.astype({"fold": "Int64", "seed": "Int64"})


def comparison_markdown(comparison: Comparison) -> str:
    """Rows and their cells in GitHub's Markdown, by benchmark."""
    escape = markdown_escape
    lines = ["# What changed", "", f"- A, before: {escape(str(comparison.before))}"]
    lines += [f"- B, after: {escape(str(comparison.after))}", "", NOTE, ""]
    for heading, rows in comparison.groups:
        texts = [text for row in rows for text in _markdown_rows(row)]
        lines += [f"### {escape(heading)}", "", f"| {' | '.join(HEADINGS)} |"]
        lines += [f"|:--|{'--:|' * (len(HEADINGS) - 2)}:--|", *texts, ""]
    lines += [f"- {escape(remark)}" for remark in comparison.remarks]
    return "\n".join(lines).rstrip() + "\n"


def figure_texts(shifts: Shifts | None) -> list[str]:
    """Texts of the columns from hypervolume to the difference in controllability."""
    if not shifts:
        return ["", "", "", ""]
    return [text for shift in shifts for text in _shift(shift)]


def _shift(shift: Shift | None) -> tuple[str, str]:
    if not shift:
        return "", ""
    ends = shift.interval and f" [{shift.interval.low:+z.3f}, {shift.interval.high:+z.3f}]"
    values = f"{shift.before:z.2f} → {shift.after:z.2f}"
    return _signed(values), _signed(f"{shift.difference:+z.3f}{ends or ''}")


def _signed(text: str) -> str:
    return text.replace("-", "−")


def _markdown_rows(row: RowChange) -> Iterator[str]:
    yield _markdown_line(f"**{markdown_escape(row.label)}**", row.shifts, row.status)
    for cell in row.cells:
        yield _markdown_line(cell.name, cell.shifts, cell.status)


def _markdown_line(name: str, shifts: Shifts | None, status: str) -> str:
    return f"| {' | '.join([name, *map(markdown_escape, figure_texts(shifts)), status])} |"


def _frame_lines(row: RowChange) -> Iterator[dict[str, Any]]:
    shared = {
        "benchmark": row.benchmark,
        "model": row.model,
        "method": row.row.method,
        "variant": row.row.variant,
        "label": row.label,
    }
    yield {
        **shared,
        "level": "row",
        "status": row.status,
        "unchanged": row.status == UNCHANGED,
        "changes": "; ".join(row.changes),
        **_columns(row.shifts),
    }
    yield from (shared | _cell_columns(cell) for cell in row.cells)


def _cell_columns(cell: CellChange) -> dict[str, Any]:
    fold, seed = cell.turn
    return {
        "level": "cell",
        "fold": fold or None,
        "seed": seed,
        "status": cell.status,
        "unchanged": cell.status == UNCHANGED,
        "reason": cell.reason,
        "path_before": cell.before and str(cell.before.path),
        "path_after": cell.after and str(cell.after.path),
        **_columns(cell.shifts),
    }


def _columns(shifts: Shifts | None) -> dict[str, float]:
    columns: dict[str, float] = {}
    for figure, shift in shifts._asdict().items() if shifts else ():
        if shift:
            columns[f"{figure}_before"] = shift.before
            columns[f"{figure}_after"] = shift.after
            columns[f"{figure}_difference"] = shift.difference
            if shift.interval:
                columns[f"{figure}_difference_low"] = shift.interval.low
                columns[f"{figure}_difference_high"] = shift.interval.high
    return columns
