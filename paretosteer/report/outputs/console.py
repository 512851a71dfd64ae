"""Leaderboard and comparison on a terminal, or as plain text where there is none."""

import sys
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from paretosteer.metrics.row_metric import Column
from paretosteer.report.columns import HYPERVOLUME, on_terminal
from paretosteer.report.outputs.comparison_files import (
    HEADINGS,
    NOTE,
    ComparisonReport,
    figure_texts,
)
from paretosteer.report.outputs.notes import volume_error
from paretosteer.report.outputs.terminal_table import TextColumn, fitted
from paretosteer.report.report_folder import Report
from paretosteer.runtime.terminal import line, plural

if TYPE_CHECKING:
    import pandas as pd
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    from paretosteer.report.analysis.changes import RowChange

# Without a terminal there is no width to fit; wide enough that no cell is cut.
_PLAIN_WIDTH = 400

# Maximum number of rows of a table, and of cells that are not ok, shown on a terminal.
_MOST = 50


def print_leaderboard(board: "Report | pd.DataFrame") -> None:
    """Print a leaderboard's tables; of a report also warnings, cells not ok and the page's path."""
    console = _console()
    frame = board.leaderboard if isinstance(board, Report) else board
    for number, rows in frame.groupby("table", sort=True):
        missing = _print_table(console, f"Table {number}", rows[:_MOST])
        _say_more(console, len(rows), "row", ", all in leaderboard.csv")
        if missing:
            _remark(console, f"not shown in this narrow terminal: {', '.join(missing)}")
        if isinstance(board, Report):
            for warning in board.warnings.get(rows["table"].iloc[0], ()):
                _remark(console, f"warning: {warning}")
    if said := volume_error(frame.to_dict("records")):
        _remark(console, said)
    if frame["exempt"].any():
        _remark(console, "* an expensive reference, exempt from the budget")
    if isinstance(board, Report):
        for cell in board.problems[:_MOST]:
            console.print(_text(f"{cell.status}: {cell.path}: {cell.reason}"), soft_wrap=True)
        be = "is" if len(board.problems) == _MOST + 1 else "are"
        _say_more(console, len(board.problems), "cell", f" that {be} not ok, all on the page")
        console.print(_text(f"report: {board.page}"), soft_wrap=True)


def print_comparison(report: ComparisonReport) -> None:
    """Print what changed between two sweeps, what is not compared, and the page's path."""
    console, comparison = _console(), report.comparison
    for heading, rows in comparison.groups:
        console.print(_changes(heading, rows))
    sides = f"A, before: {comparison.before}", f"B, after: {comparison.after}"
    for remark in (*sides, NOTE, *comparison.remarks, f"report: {report.page}"):
        console.print(_text(remark), soft_wrap=True)


def _remark(console: "Console", text: str) -> None:
    """Print a sentence: wrapped at words on a terminal, one line elsewhere."""
    console.print(_text(text), soft_wrap=not console.is_terminal)


def _say_more(console: "Console", count: int, noun: str, rest: str) -> None:
    if count > _MOST:
        console.print(f"and {plural(count - _MOST, f'more {noun}')}{rest}", soft_wrap=True)


def _text(text: str) -> "Text":
    """Literal text without markup and control sequences."""
    from rich.text import Text

    return Text(line(text))


def _console() -> "Console":
    from rich.console import Console

    width = None if sys.stdout.isatty() else _PLAIN_WIDTH
    return Console(width=width, highlight=False)


def _print_table(console: "Console", title: str, rows: "pd.DataFrame") -> list[str]:
    """Print a table; gives the headings of columns for which the terminal is too narrow."""
    first = rows.iloc[0]
    place = " ".join(str(first[name]) for name in ("benchmark", "model") if _there(first[name]))
    # Rows of `score` have no budget, so `exempt` may be missing.
    stars = ["*" if _there(row["exempt"]) and row["exempt"] else "" for _, row in rows.iterrows()]
    labels = [line(name) + star for name, star in zip(rows["label"], stars, strict=True)]
    shown = [each for each in on_terminal() if each.name in rows]
    columns = [
        _text_column(each, rows)
        for each in shown
        if not each.sparse or rows[each.name].notna().any()
    ]
    statuses = TextColumn("status", [line(status) for status in rows["status"]], left=True)
    # Where all went well the status says nothing, so it is the first column to go.
    kept = set() if (rows["status"] == "ok").all() else {statuses.heading}
    title = line(f"{title} {place}".strip())
    table, missing = fitted(console, title, labels, [*columns, statuses], kept)
    console.print(table, end="\n\n")
    return missing


def _text_column(column: Column, rows: "pd.DataFrame") -> TextColumn:
    heading = column.title if column.title.isupper() else column.title.lower()
    whole = [line(_value(row, column)) for _, row in rows.iterrows()]
    return TextColumn(heading, whole, [value.partition(" [")[0] for value in whole])


def _changes(heading: str, rows: "Sequence[RowChange]") -> "Table":
    table = _empty(heading)
    for name in HEADINGS[1:-1]:
        table.add_column(name.lower(), justify="right", no_wrap=True)
    table.add_column("status")
    for row in rows:
        table.add_row(*map(_text, [row.label, *figure_texts(row.shifts), row.status]))
        for cell in row.cells:
            table.add_row(*map(_text, [f"  {cell.name}", *figure_texts(cell.shifts), cell.status]))
    return table


def _empty(title: str) -> "Table":
    """A table with its title and the column of methods."""
    from rich.box import SIMPLE_HEAD
    from rich.table import Table

    table = Table(
        title=_text(title),
        box=SIMPLE_HEAD,
        title_justify="left",
        pad_edge=False,
    )
    table.add_column("method", overflow="fold", max_width=60)
    return table


def _value(row: "pd.Series[Any]", column: Column) -> str:
    """Text of a value; only the column that rows are ranked by has room for its interval."""
    names = (*column.names, f"{column.name}_error") if column is HYPERVOLUME else (column.name,)
    figures = {name: row[name] for name in names if _there(row[name])}
    return column.text(figures).replace("−", "-")


def _there(value: Any) -> bool:
    import pandas as pd

    return not pd.isna(value) and value != ""
