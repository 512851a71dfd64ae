"""Fronts and weight responses of one table, as SVG and PNG.

The same records give the same SVG bytes: no date, and element names that do not change.
"""

import io
import math
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import combinations
from textwrap import fill
from typing import TYPE_CHECKING, Any, TypeAlias

import numpy as np
import numpy.typing as npt

from paretosteer import metrics
from paretosteer.metrics.checks import FloatArray
from paretosteer.report.evaluate import Curves, RowResult, TableResult
from paretosteer.report.setting import Setting
from paretosteer.report.style import LIGHT, Style, Theme, styles

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

Places: TypeAlias = npt.NDArray[np.intp]

_UNIT = "start-model standard units"
_PANEL = 4.6  # inches
_LEGEND = 2.4  # inches
_LEGEND_WIDTH = 26  # characters


@dataclass(frozen=True)
class Drawing:
    """One figure of a table: the stem of its file names, and what it shows, in words."""

    name: str
    caption: str
    draw: Callable[[TableResult, Setting, Theme], "Figure"]


def render(result: TableResult, drawing: Drawing, form: str, theme: Theme = LIGHT) -> bytes:
    """One figure of a scored table as `svg` or `png`."""
    setting = result.table.setting
    assert setting  # a scored table has one
    with _look(theme):
        figure = drawing.draw(result, setting, theme)
        buffer = io.BytesIO()
        kept = {"Date": None} if form == "svg" else {"Software": None}
        figure.savefig(buffer, format=form, dpi=160, metadata=kept)
    return buffer.getvalue()


def draw_fronts(result: TableResult, setting: Setting, theme: Theme) -> "Figure":
    """Every pair of objectives as a plane with each method's points in order of preference."""
    pairs = list(combinations(range(len(setting.names)), 2))
    figure, axes = _panels(len(pairs), height=_PANEL)
    made = styles([each.row.method for each in result.scored])
    for axis, (i, j) in zip(axes, pairs, strict=True):
        _plane(axis, result, setting, made, (i, j), theme)
        axis.set_xlabel(_axis_label(setting.names[i]))
        axis.set_ylabel(_axis_label(setting.names[j]))
    _legend(figure, result, made, theme)
    return figure


def draw_responses(result: TableResult, setting: Setting, theme: Theme) -> "Figure":
    """One panel per objective: what it comes to at each weight of it, with intervals."""
    count = len(setting.names)
    figure, axes = _panels(count, height=_PANEL * 0.95, share=True)
    made = styles([each.row.method for each in result.scored])
    for i, axis in enumerate(axes):
        axis.axhline(0, color=theme.faint, linewidth=1, zorder=0)
        for each, look in zip(result.scored, made, strict=True):
            _response(axis, each, look, i)
        axis.set_xlabel(f"weight on {setting.names[i]}")
        axis.set_title(setting.names[i], loc="left", fontweight="bold")
        axis.set_xlim(-0.02, 1.02)
        axis.xaxis.set_major_locator(_ticks())
    axes[0].set_ylabel(f"objective ({_UNIT})")
    _legend(figure, result, made, theme)
    return figure


FRONTS = Drawing(
    "fronts",
    "What each method reaches. Lines join the points that weigh these two objectives alone, in "
    "order of preference; filled points are on the method's own front, hollow ones are dominated "
    "by another of its points. Crosses are 95 % intervals, small dots the single seeds, faint "
    "unjoined marks the points with further dials. The dashed line is the union front of all "
    "methods; the start model is at the origin.",
    draw_fronts,
)
RESPONSES = Drawing(
    "responses",
    "Does an objective rise with its weight? Mean over all preferences with that weight; bands "
    "are 95 % intervals over prompts. A flat line does not steer.",
    draw_responses,
)
DRAWINGS = (FRONTS, RESPONSES)


def _plane(
    axis: "Axes",
    result: TableResult,
    setting: Setting,
    made: Sequence[Style],
    pair: tuple[int, int],
    theme: Theme,
) -> None:
    axis.axhline(0, color=theme.faint, linewidth=1, zorder=0)
    axis.axvline(0, color=theme.faint, linewidth=1, zorder=0)
    _union(axis, result.union[:, pair], theme)
    edge = _edge(np.array(setting.preferences), pair)
    for each, look in zip(result.scored, made, strict=True):
        assert each.curves  # scored
        _front(axis, each.curves, edge, look, pair, theme)
    _name_ends(axis, result, edge, pair, [setting.names[i] for i in pair])
    axis.plot(0, 0, marker="+", color=theme.ink, markersize=11, markeredgewidth=1.4, zorder=6)
    axis.margins(0.08)


def _edge(preferences: FloatArray, pair: tuple[int, int]) -> Places:
    """Preferences that weigh these two objectives alone, from one to the other."""
    on_edge = np.flatnonzero(np.abs(np.delete(preferences, pair, axis=1)).sum(axis=1) < 1e-9)
    return on_edge[np.argsort(preferences[on_edge, pair[0]])]


def _name_ends(
    axis: "Axes", result: TableResult, edge: Places, pair: tuple[int, int], names: Sequence[str]
) -> None:
    """Say at the best method's ends which way its points run."""
    best = result.scored[0].curves
    if not best or len(edge) < 2:
        return
    for place, name, offset, rotation in (
        (edge[-1], names[0], (9, 5), 90),
        (edge[0], names[1], (5, 9), 0),
    ):
        axis.annotate(
            f"all weight on {name}".replace("$", r"\$"),
            (best.band.mean[place, pair[0]], best.band.mean[place, pair[1]]),
            xytext=offset,
            textcoords="offset points",
            rotation=rotation,
            fontsize=8,
            alpha=0.75,
        )


def _front(
    axis: "Axes",
    curves: Curves,
    edge: Places,
    look: Style,
    pair: tuple[int, int],
    theme: Theme,
) -> None:
    x, y = curves.band.mean[:, pair].T
    low, high = curves.band.low[:, pair], curves.band.high[:, pair]
    colour = look.colour
    axis.hlines(y, low[:, 0], high[:, 0], color=colour, alpha=0.3, linewidth=1, zorder=2)
    axis.vlines(x, low[:, 1], high[:, 1], color=colour, alpha=0.3, linewidth=1, zorder=2)
    if len(curves.seeds) > 1:
        own_x, own_y = curves.seeds[..., pair].reshape(-1, 2).T
        axis.scatter(own_x, own_y, s=5, color=colour, alpha=0.45, linewidths=0, zorder=3)
    if len(curves.dialled):
        other_x, other_y = curves.dialled[:, pair].T
        axis.scatter(
            other_x, other_y, s=14, marker=look.marker, color=colour, alpha=0.4, linewidths=0
        )
    axis.plot(x[edge], y[edge], color=colour, linestyle=look.line, linewidth=1.5, zorder=4)
    on_front = metrics.nondominated(curves.band.mean)
    sizes = np.where(np.isin(np.arange(len(x)), edge), 38, 14)
    for mask, face in ((on_front, colour), (~on_front, theme.ground)):
        axis.scatter(
            x[mask],
            y[mask],
            s=sizes[mask],
            marker=look.marker,
            facecolor=face,
            edgecolor=colour,
            linewidths=1.2,
            zorder=5,
        )


def _union(axis: "Axes", points: FloatArray, theme: Theme) -> None:
    """The front of all methods in one plane, as the staircase that bounds what is dominated."""
    front = points[metrics.nondominated(points)]
    front = front[np.argsort(front[:, 0])]
    if len(front) > 1:
        axis.step(
            *front.T, where="pre", color=theme.ink, linestyle=(0, (4, 3)), linewidth=1, alpha=0.55
        )


def _response(axis: "Axes", each: RowResult, look: Style, objective: int) -> None:
    assert each.curves  # scored
    levels = each.curves.responses[objective]
    weights = [level.weight for level in levels]
    axis.fill_between(
        weights,
        [level.low for level in levels],
        [level.high for level in levels],
        color=look.colour,
        alpha=0.16,
        linewidth=0,
    )
    axis.plot(
        weights,
        [level.mean for level in levels],
        color=look.colour,
        linestyle=look.line,
        marker=look.marker,
        markersize=5,
        linewidth=1.7,
    )


def _legend(figure: "Figure", result: TableResult, made: Sequence[Style], theme: Theme) -> None:
    from matplotlib.lines import Line2D

    handles = [
        Line2D(
            [], [], color=look.colour, marker=look.marker, linestyle=look.line, label=_plain(each)
        )
        for each, look in zip(result.scored, made, strict=True)
    ]
    figure.legend(
        handles=handles,
        title="By hypervolume",
        alignment="left",
        loc="outside right center",
        frameon=False,
        labelcolor=theme.ink,
    )


def _plain(result: RowResult) -> str:
    """A row's label, in short lines and without what matplotlib would read as mathematics."""
    star = "*" if result.row.exempt else ""
    return fill(f"{result.row.label}{star}", width=_LEGEND_WIDTH).replace("$", r"\$")


def _axis_label(name: str) -> str:
    return f"{name} ({_UNIT})".replace("$", r"\$")


def _panels(count: int, height: float, share: bool = False) -> tuple["Figure", list["Axes"]]:
    # Not through pyplot, which would change the backend of whoever calls this in a notebook.
    from matplotlib.figure import Figure

    columns = min(count, 3)
    rows = math.ceil(count / columns)
    figure = Figure(figsize=(_PANEL * columns + _LEGEND, height * rows), layout="constrained")
    grid = figure.subplots(rows, columns, sharey=share, squeeze=False)
    axes = list(grid.flat)
    for axis in axes[count:]:
        axis.set_visible(False)
    return figure, axes[:count]


def _ticks() -> Any:
    from matplotlib.ticker import MultipleLocator

    return MultipleLocator(0.2)


@contextmanager
def _look(theme: Theme) -> Iterator[None]:
    import matplotlib

    with matplotlib.rc_context(
        {
            "svg.hashsalt": "paretosteer",
            "svg.fonttype": "path",
            "font.family": "DejaVu Sans",  # comes with matplotlib
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
