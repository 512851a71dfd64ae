"""Leaderboard and comparison on a terminal, or as plain text where there is none."""

from collections.abc import Collection, Sequence
from typing import TYPE_CHECKING, Any

from paretosteer.metrics.row_metric import Column
from paretosteer.report.analysis.evaluate_table import DAMAGE_MARK
from paretosteer.report.analysis.tables import COST_UNKNOWN_MARK, EXEMPT_MARK, place
from paretosteer.report.columns import CONTROLLABILITY, HYPERVOLUME, KL, on_terminal
from paretosteer.report.outputs.comparison_files import (
    HEADINGS,
    NOTE,
    ComparisonReport,
    figure_texts,
)
from paretosteer.report.outputs.notes import volume_error
from paretosteer.report.outputs.terminal_table import TextColumn, fitted
from paretosteer.report.report_folder import Report
from paretosteer.runtime.terminal import line, output_width, plural, wrapped_at

if TYPE_CHECKING:
    import pandas as pd
    from rich.console import Console
    from rich.text import Text

    from paretosteer.report.analysis.changes import RowChange

# Without a terminal there is no width to fit; wide enough that no cell is cut.
_PLAIN_WIDTH = 400

# Columns that a narrow terminal keeps as long as it can, hypervolume with its interval.
_KEPT = (HYPERVOLUME, CONTROLLABILITY, KL)

# Maximum number of rows of a table, and of cells that are not ok, shown on a terminal.
_MOST = 50


def print_leaderboard(report: Report) -> None:
    """Print a report's tables with their warnings, cells not ok, and the page's path."""
    console, frame = new_console(), report.leaderboard
    for number, rows in frame.groupby("table", sort=True):
        damaged = report.damaged.get(rows["table"].iloc[0], ())
        missing = _print_table(console, f"Table {number}", rows[:_MOST], damaged)
        _say_more(console, len(rows), "row", ", all in leaderboard.csv")
        remark_missing(console, missing, "leaderboard.md")
        for warning in report.warnings.get(rows["table"].iloc[0], ()):
            remark(console, f"warning: {warning}")
    if said := volume_error(frame.to_dict("records")):
        remark(console, said)
    if frame["exempt"].any():
        remark(console, f"{EXEMPT_MARK} an expensive reference, exempt from the budget")
    if _cost_unknown(frame).any():
        remark(console, f"{COST_UNKNOWN_MARK} trained elsewhere, at an unknown cost")
    for cell in report.problems[:_MOST]:
        remark(console, f"{cell.status}: {cell.path}: {cell.reason}")
    be = "is" if len(report.problems) == _MOST + 1 else "are"
    _say_more(console, len(report.problems), "cell", f" that {be} not ok, all on the page")
    console.print(_text(f"report: {report.page}"), soft_wrap=True)


def print_comparison(report: ComparisonReport) -> None:
    """Print what changed between two sweeps, what is not compared, and the page's path."""
    console, comparison = new_console(), report.comparison
    for heading, rows in comparison.groups:
        _print_changes(console, heading, rows)
    sides = f"A, before: {comparison.before}", f"B, after: {comparison.after}"
    for text in (*sides, NOTE, *comparison.remarks):
        remark(console, text)
    console.print(_text(f"report: {report.page}"), soft_wrap=True)


def remark(console: "Console", text: str) -> None:
    """Print a sentence: wrapped at words on a terminal, one line elsewhere."""
    from rich.text import Text

    whole = line(text)
    shown = wrapped_at(whole, console.width) if console.is_terminal else whole
    console.print(Text(shown), soft_wrap=True)


def remark_missing(console: "Console", missing: Sequence[str], place: str) -> None:
    """Name the columns and intervals for which the terminal is too narrow, and their `place`."""
    if missing:
        listed = ", ".join(missing)
        remark(console, f"not shown in this narrow terminal, but in {place}: {listed}")


def _say_more(console: "Console", count: int, noun: str, rest: str) -> None:
    if count > _MOST:
        console.print(f"and {plural(count - _MOST, f'more {noun}')}{rest}", soft_wrap=True)


def _text(text: str) -> "Text":
    """Literal text without markup and control sequences."""
    from rich.text import Text

    return Text(line(text))


def new_console() -> "Console":
    """Console of standard output, wide where that is not a terminal and `COLUMNS` is not set."""
    from rich.console import Console

    return Console(width=output_width() or _PLAIN_WIDTH, highlight=False)


def _print_table(
    console: "Console", title: str, rows: "pd.DataFrame", damaged: Collection[str]
) -> list[str]:
    """Print a table; gives the headings of columns for which the terminal is too narrow."""
    first = rows.iloc[0]
    model = str(first["model"]) if _there(first["model"]) else ""
    where = place(str(first["benchmark"]), model)
    marks = rows["exempt"].map({True: EXEMPT_MARK, False: ""})
    marks += _cost_unknown(rows).map({True: COST_UNKNOWN_MARK, False: ""})
    labels = [line(name) + mark for name, mark in zip(rows["label"], marks, strict=True)]
    shown = [each for each in on_terminal() if each.name in rows]
    columns = [
        _text_column(each, rows, damaged if each is KL else ())
        for each in shown
        if not each.sparse or rows[each.name].notna().any()
    ]
    statuses = TextColumn("status", [line(status) for status in rows["status"]], left=True)
    # Where all went well the status says nothing, so it is the first column to go.
    telling = [] if (rows["status"] == "ok").all() else [statuses.heading]
    kept = [*map(_heading, _KEPT), *telling]
    title = line(f"{title}: {where}")
    table, missing = fitted(console, title, labels, [*columns, statuses], kept, enough=len(kept))
    console.print(table)
    return [name for name in missing if name != statuses.heading or telling]


def _text_column(column: Column, rows: "pd.DataFrame", marked: Collection[str]) -> TextColumn:
    """Values of a column, those of the rows with a label in `marked` with the mark of damage."""
    marks = [f"{DAMAGE_MARK} " if label in marked else "" for label in rows["label"]]
    values = [_value(row, column) for _, row in rows.iterrows()]
    whole = [line(mark + value) for mark, value in zip(marks, values, strict=True)]
    return TextColumn(_heading(column), whole, [value.partition(" [")[0] for value in whole])


def _heading(column: Column) -> str:
    return column.title if column.title.isupper() else column.title.lower()


def _print_changes(console: "Console", title: str, rows: "Sequence[RowChange]") -> None:
    lines = [
        (name, *figure_texts(shifts), status)
        for row in rows
        for name, shifts, status in (
            (row.label, row.shifts, row.status),
            *((f"  {cell.name}", cell.shifts, cell.status) for cell in row.cells),
        )
    ]
    labels, *values = ([line(text) for text in column] for column in zip(*lines, strict=True))
    headings = [heading.lower() for heading in HEADINGS[1:]]
    columns = [
        TextColumn(heading, whole, [value.partition(" [")[0] for value in whole])
        for heading, whole in zip(headings[:-1], values[:-1], strict=True)
    ]
    statuses = TextColumn(headings[-1], values[-1], left=True)
    table, missing = fitted(console, line(title), labels, [*columns, statuses], ["status"])
    console.print(table, end="\n\n")
    remark_missing(console, missing, "compare.md")


def _value(row: "pd.Series[Any]", column: Column) -> str:
    """Text of a value; only the column that rows are ranked by has room for its interval."""
    names = (*column.names, f"{column.name}_error") if column is HYPERVOLUME else (column.name,)
    figures = {name: row[name] for name in names if _there(row[name])}
    return column.text(figures).replace("−", "-")


def _cost_unknown(rows: "pd.DataFrame") -> "pd.Series[bool]":
    """True for rows of which parts were trained elsewhere; most frames have no such column."""
    import pandas as pd

    absent = pd.Series(False, index=rows.index)
    return rows["cost_unknown"].eq(True).fillna(False) if "cost_unknown" in rows else absent


def _there(value: Any) -> bool:
    import pandas as pd

    return not pd.isna(value) and value != ""
