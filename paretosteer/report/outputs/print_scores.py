"""Scores of points from a CSV file on a terminal, with significant digits."""

from math import floor, isfinite, log10
from numbers import Integral
from typing import TYPE_CHECKING, Any

from paretosteer.metrics.leaderboard import ROW_METRICS
from paretosteer.report.columns import row_metrics
from paretosteer.report.outputs.console import new_console, remark, remark_missing
from paretosteer.report.outputs.score_csv import COUNTS
from paretosteer.report.outputs.terminal_table import TextColumn, fitted
from paretosteer.runtime.terminal import line

if TYPE_CHECKING:
    import pandas as pd

_DIGITS = 4

# Columns and their headings; where a terminal is too narrow, the last one goes first.
_COLUMNS = {
    "hypervolume": "hypervolume",
    "tie_group": "ties",
    "hypervolume_ratio": "ratio",
    "controllability": "controllability",
    "steering_regret": "regret",
    "dominated_by": "dominated by",
    "coverage": "coverage",
    "points_outside": "outside",
    "seeds": "seeds",
}


def print_scores(frame: "pd.DataFrame") -> None:
    """Print the tables of scored points, and what their columns mean."""
    console = new_console()
    own = [each.name for each in row_metrics() if each not in ROW_METRICS]
    for number, rows in frame.groupby("table", sort=True):
        columns = [
            _column(name, heading, rows)
            for name, heading in [*_COLUMNS.items(), *zip(own, own, strict=True)]
            if name in rows and rows[name].notna().any()
        ]
        labels = [line(str(label)) for label in rows["label"]]
        table, missing = fitted(console, f"Table {number}", labels, columns)
        console.print(table, end="\n\n")
        remark_missing(console, missing, "the output of --json")
    for text in _remarks(frame):
        remark(console, text)


def _column(name: str, heading: str, rows: "pd.DataFrame") -> TextColumn:
    values = [_count(value) if name in COUNTS else _text(value) for value in rows[name]]
    if name != "hypervolume" or rows["hypervolume_low"].isna().all():
        return TextColumn(line(heading), values)
    ends = zip(values, rows["hypervolume_low"], rows["hypervolume_high"], strict=True)
    whole = [  # a method with one seed has no interval
        f"{value} [{_text(low)}, {_text(high)}]" if isfinite(low) and isfinite(high) else value
        for value, low, high in ends
    ]
    return TextColumn(heading, whole, values)


def _remarks(frame: "pd.DataFrame") -> list[str]:
    remarks = []
    if frame["controllability"].isna().all():
        remarks.append(
            "no steering metrics, which need a weight for every objective; dominated by: "
            "methods whose points weakly dominate all points of this one"
        )
    if (frame["seeds"] == 1).all():
        remarks.append("no intervals, which need a column 'seed' with at least two seeds")
    else:
        remark = "95 % intervals over seeds"
        if (frame["seeds"] == 1).any():
            remark += ", of methods with at least two"
        if frame["tie_group"].notna().any():
            remark += (
                "; methods that share a letter under ties do not differ significantly in "
                "hypervolume"
            )
        remarks.append(remark)
    if frame["table"].nunique() > 1:
        remarks.append(
            "methods with different preferences are in different tables, and count in each other's "
            "ratio, coverage and dominated by as sets of points; hypervolume, ties and steering "
            "are not compared, since they depend on the preferences"
        )
    return [*remarks, "--json prints all metrics with all digits"]


def _count(value: Any) -> str:
    """Count of one seed, or the mean of several: 2, 1.333."""
    return _text(int(value) if float(value).is_integer() else value)


def _text(value: Any) -> str:
    """Value with four significant digits: 13.00, 0.001234, 1.235e+07; counts have all digits."""
    if isinstance(value, str):
        return line(value)
    if isinstance(value, Integral):  # NumPy's integers too
        return str(int(value))
    if not isinstance(value, float) or not isfinite(value):
        return ""
    if value == 0:
        return "0"
    decimals = _DIGITS - 1 - floor(log10(abs(value)))
    text = f"{value:.{decimals}f}" if 0 <= decimals < 8 else f"{value:.{_DIGITS}g}"
    return text.replace("-", "−")
