"""Panels, legend, colours and axis labels that all figures share."""

import math
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from textwrap import fill
from typing import TYPE_CHECKING, Any

from paretosteer.report.analysis.comparable import Setting
from paretosteer.report.analysis.evaluate_table import RowResult, TableResult
from paretosteer.report.figures.fonts import families
from paretosteer.report.figures.style import Style, Theme
from paretosteer.runtime.terminal import printable

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

PANEL = 4.6  # inches
_LEGEND = 2.4  # inches
_LEGEND_WIDTH = 26  # characters
_LEGEND_LINE = 0.2  # inches
_NOTE_LETTERS = 12  # characters in an inch of a note
_UNIT = "start-model standard units"

# How the best possible is drawn: on top, but thin, so that methods that reach it are seen.
ORACLE: dict[str, Any] = {"linestyle": "-", "linewidth": 1.0, "marker": ".", "markersize": 4.0}


def plain(text: str) -> str:
    """Escape the characters that matplotlib would read as mathematics."""
    return printable(text).replace("$", r"\$")


def axis_label(name: str, setting: Setting) -> str:
    """An objective with its unit, and with the penalty of regularised points."""
    if not setting.kl_coefficient:
        return plain(f"{name} ({_UNIT})")
    return plain(f"{name} − {setting.kl_coefficient:g} × KL\n({_UNIT})")


def panels(count: int, height: float = PANEL, share: bool = False) -> tuple["Figure", list["Axes"]]:
    """A figure with panels, three in a row, and room for a legend on the right."""
    # Not through pyplot, which would change the backend of a notebook.
    from matplotlib.figure import Figure

    columns = min(count, 3)
    rows = math.ceil(count / columns)
    figure = Figure(figsize=(PANEL * columns + _LEGEND, height * rows), layout="constrained")
    grid = figure.subplots(rows, columns, sharey=share, squeeze=False)
    axes = list(grid.flat)
    for axis in axes[count:]:
        axis.set_visible(False)
    return figure, axes[:count]


def legend(
    figure: "Figure", result: TableResult, looks: Sequence[Style], theme: Theme, oracle: bool
) -> None:
    """Rows in the table's order, and the oracle's line where it is drawn."""
    from matplotlib.lines import Line2D

    handles = [
        Line2D([], [], color=it.colour, marker=it.marker, linestyle=it.line, label=_label(each))
        for each, it in zip(result.scored, looks, strict=True)
    ]
    if oracle:
        handles.append(Line2D([], [], color=theme.ink, label="oracle", **ORACLE))
    lines = 2 + sum(str(each.get_label()).count("\n") + 1 for each in handles)
    figure.set_figheight(max(figure.get_figheight(), lines * _LEGEND_LINE))
    figure.legend(
        handles=handles,
        title="By hypervolume",
        alignment="left",
        loc="outside right center",
        frameon=False,
        labelcolor=theme.ink,
    )


def footnote(figure: "Figure", text: str) -> None:
    """Write a note below the panels, on as many lines as it needs."""
    if text:
        width = int(figure.get_figwidth() * _NOTE_LETTERS)
        figure.supxlabel(plain(fill(text, width=width)), fontsize=8)


def _label(result: RowResult) -> str:
    return plain(fill(f"{result.row.label}{result.row.mark}", width=_LEGEND_WIDTH))


@contextmanager
def look(theme: Theme, text: str = "") -> Iterator[None]:
    """Draw in a theme's colours, with reproducible bytes, in fonts that have a text."""
    import matplotlib

    with matplotlib.rc_context(
        {
            "svg.hashsalt": "paretosteer",
            "svg.fonttype": "path",
            "font.family": families(text),
            "font.size": 10,
            "axes.edgecolor": theme.ink,
            "axes.labelcolor": theme.ink,
            "axes.titlecolor": theme.ink,
            "axes.facecolor": theme.ground,
            "axes.spines.top": False,
            "axes.spines.right": False,
            "axes.linewidth": 0.8,
            "figure.facecolor": theme.ground,
            "savefig.facecolor": theme.ground,
            "text.color": theme.ink,
            "xtick.color": theme.ink,
            "ytick.color": theme.ink,
            "axes.grid": False,
        }
    ):
        yield
