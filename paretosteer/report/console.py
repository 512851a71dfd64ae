"""The leaderboard on a terminal, or as plain text where there is none."""

import sys
from typing import TYPE_CHECKING, Any

from paretosteer.report.configuration import EXEMPT_METHODS
from paretosteer.report.write import Report

if TYPE_CHECKING:
    import pandas as pd
    from rich.console import Console
    from rich.table import Table

# Where there is no terminal nothing knows a width; wide enough that no cell is cut.
_PLAIN_WIDTH = 400


def print_leaderboard(board: "Report | pd.DataFrame") -> None:
    """Print a leaderboard's tables; of a report also the cells not ok and where its page is."""
    from rich.text import Text

    console = _console()
    frame = board.leaderboard if isinstance(board, Report) else board
    for number, rows in frame.groupby("table", sort=True):
        console.print(_table(f"Table {number}", rows))
    if frame["method"].isin(EXEMPT_METHODS).any():
        console.print("* an expensive reference, exempt from the budget", soft_wrap=True)
    if isinstance(board, Report):
        for cell in board.problems:
            console.print(Text(f"{cell.status}: {cell.path}: {cell.reason}"), soft_wrap=True)
        console.print(Text(f"report: {board.page}"), soft_wrap=True)


def _console() -> "Console":
    from rich.console import Console

    width = None if sys.stdout.isatty() else _PLAIN_WIDTH
    return Console(width=width, highlight=False)


def _table(title: str, rows: "pd.DataFrame") -> "Table":
    from rich.box import SIMPLE_HEAD
    from rich.table import Table
    from rich.text import Text

    first = rows.iloc[0]
    named = " ".join(str(first[name]) for name in ("benchmark", "model") if _there(first[name]))
    table = Table(
        title=Text(f"{title} {named}".strip(), justify="left"),
        box=SIMPLE_HEAD,
        title_justify="left",
        pad_edge=False,
    )
    table.add_column("method", overflow="fold", max_width=60)
    for heading in ("hypervolume", "controllability", "steering regret", "steps", "KL"):
        table.add_column(heading, justify="right", no_wrap=True)
    table.add_column("seeds", justify="right")
    table.add_column("status")
    for _, row in rows.iterrows():
        values = [
            str(row["label"]) + ("*" if row["method"] in EXEMPT_METHODS else ""),
            _interval(row),
            _number(row["controllability"], "z.2f"),
            _number(row["steering_regret"], "z.3f"),
            _number(row["train_steps"], "d"),
            _number(row["kl"], "z.2f"),
            _number(row["seeds"], "d"),
            str(row["status"]),
        ]
        table.add_row(*map(Text, values))
    return table


def _interval(row: "pd.Series[Any]") -> str:
    value = _number(row["hypervolume"], "z.2f")
    if not _there(row["hypervolume_low"]):
        return value
    return f"{value} [{row['hypervolume_low']:z.2f}, {row['hypervolume_high']:z.2f}]"


def _number(value: Any, form: str) -> str:
    return format(value, form) if _there(value) else ""


def _there(value: Any) -> bool:
    import pandas as pd

    return not pd.isna(value) and value != ""
