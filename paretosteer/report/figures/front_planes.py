"""Plane of every pair of objectives, with each method's points in order of preference."""

from collections.abc import Sequence
from itertools import combinations
from typing import TYPE_CHECKING

import numpy as np

from paretosteer import metrics
from paretosteer.metrics.input_checks import FloatArray
from paretosteer.report.analysis.comparable import Setting
from paretosteer.report.analysis.drawn_ranges import beyond, drawn_ranges
from paretosteer.report.analysis.evaluate_table import Curves, RowResult, TableResult
from paretosteer.report.analysis.oracle import Oracle, Places
from paretosteer.report.figures.canvas import ORACLE, axis_label, footnote, legend, panels, plain
from paretosteer.report.figures.clipping import MARGIN, Limits, arrows, set_limits
from paretosteer.report.figures.style import Style, Theme, styles

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

# Of more replicates the single ones are a cloud that hides their means.
SINGLE = 20

# Of more points the crosses would cover everything.
CROSSED = 150

# A band between quartiles of replicates needs this many.
_ENOUGH = 3

_MANY = 500  # dots

ABOUT_ORIGIN = (
    "+ marks 0, the mean of the start model's samples. The start model's own points lie near it, "
    "not on it, because they are measured on other prompts."
)


def about_best(result: TableResult) -> str:
    """What the line of the best points is, in a caption."""
    if result.oracle:
        return "The thin line is the oracle, the best that any policy can do at each preference."
    front = "The dashed line is the union front: the best points of all methods"
    if all(len(each.row.replicates) == 1 for each in result.scored):
        return f"{front}."
    return f"{front} in any {result.noun}, so it may lie beyond their marks, which are means."


def draw_fronts(result: TableResult, setting: Setting, theme: Theme) -> "Figure":
    """One panel per pair of objectives."""
    pairs = list(combinations(range(len(setting.names)), 2))
    figure, axes = panels(len(pairs))
    looks = styles(result, result.scored)
    ranges = drawn_ranges(result)
    for axis, (i, j) in zip(axes, pairs, strict=True):
        limits = Limits(ranges[i], ranges[j])
        _plane(axis, result, setting, looks, (i, j), limits, theme)
        axis.set_xlabel(axis_label(setting.names[i], setting))
        axis.set_ylabel(axis_label(setting.names[j], setting))
    legend(figure, result, looks, theme, oracle=result.oracle is not None)
    footnote(figure, beyond(result, ranges))
    return figure


def _plane(
    axis: "Axes",
    result: TableResult,
    setting: Setting,
    looks: Sequence[Style],
    pair: tuple[int, int],
    limits: Limits,
    theme: Theme,
) -> None:
    axis.axhline(0, color=theme.faint, linewidth=1, zorder=0)
    axis.axvline(0, color=theme.faint, linewidth=1, zorder=0)
    edge = _edge(np.array(setting.preferences), pair)
    if result.oracle:
        _best(axis, result.oracle, edge, pair, theme)
    else:
        _union(axis, result.union[:, pair], theme)
    for each, look in zip(result.scored, looks, strict=True):
        assert each.curves  # scored
        if has_band(result, each):
            _attainment(axis, each.curves.replicates, look)
        _front(axis, each.curves, edge, look, pair, theme)
        for points in (each.curves.band.mean, each.curves.dialled):
            arrows(axis, points[:, pair], limits, look)
    _name_ends(axis, result, edge, pair, limits, [setting.names[i] for i in pair])
    axis.plot(0, 0, marker="+", color=theme.ink, markersize=11, markeredgewidth=1.4, zorder=6)
    axis.margins(MARGIN)
    set_limits(axis, limits)


def _edge(preferences: FloatArray, pair: tuple[int, int]) -> Places:
    """Preferences that weigh these two objectives alone, from one to the other."""
    others = metrics.round_weights(np.delete(preferences, pair, axis=1))
    on_edge = np.flatnonzero((others == 0).all(axis=1))
    return on_edge[np.argsort(preferences[on_edge, pair[0]])]


def _name_ends(
    axis: "Axes",
    result: TableResult,
    edge: Places,
    pair: tuple[int, int],
    limits: Limits,
    names: Sequence[str],
) -> None:
    """Label the ends of the best method's points with their preferences."""
    best = result.scored[0].curves
    if not best or len(edge) < 2:
        return
    for place, name, offset, rotation in (
        (edge[-1], names[0], (9, 5), 90),
        (edge[0], names[1], (5, 9), 0),
    ):
        axis.annotate(
            plain(f"all weight on {name}"),
            limits.nearest(best.band.mean[place, pair]),
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
    few = len(x) <= CROSSED
    if few:
        axis.hlines(y, low[:, 0], high[:, 0], color=colour, alpha=0.3, linewidth=1, zorder=2)
        axis.vlines(x, low[:, 1], high[:, 1], color=colour, alpha=0.3, linewidth=1, zorder=2)
    if 1 < len(curves.replicates) <= SINGLE:
        own_x, own_y = curves.replicates[..., pair].reshape(-1, 2).T
        # Thousands of dots are one picture in an SVG, not thousands of elements.
        axis.scatter(
            *(own_x, own_y),
            s=5,
            color=colour,
            alpha=0.45,
            linewidths=0,
            zorder=3,
            rasterized=len(own_x) > _MANY,
        )
    if len(curves.dialled):
        other_x, other_y = curves.dialled[:, pair].T
        axis.scatter(other_x, other_y, s=12, marker="x", color=colour, alpha=0.6, linewidths=0.8)
    axis.plot(x[edge], y[edge], color=colour, linestyle=look.line, linewidth=1.5, zorder=4)
    on_front = metrics.nondominated(curves.band.mean)
    sizes = np.where(np.isin(np.arange(len(x)), edge), 38, 14 if few else 2)
    for mask, face in ((on_front, colour), (~on_front, theme.ground)):
        axis.scatter(
            x[mask],
            y[mask],
            s=sizes[mask],
            marker=look.marker,
            facecolor=face,
            edgecolor=colour,
            linewidths=1.2 if few else 0.4,
            alpha=None if few else 0.5,
            zorder=5,
            rasterized=len(x) > _MANY,
        )


def has_band(result: TableResult, row: RowResult) -> bool:
    """True if the row has an attainment band: two objectives, and enough replicates.

    In one of several planes, a band would ignore the other objectives.
    """
    return result.union.shape[1] == 2 and len(row.row.replicates) >= _ENOUGH


def _attainment(axis: "Axes", points: FloatArray, look: Style) -> None:
    """Band between the regions that one and three quarters of replicates (r, k, 2) attain."""
    least = points.min(axis=(0, 1))
    few, most = (_staircase(metrics.attainment_surface(points, it), least) for it in (0.25, 0.75))
    outline = np.concatenate([few, most[::-1]])
    axis.fill(*outline.T, color=look.colour, alpha=0.16, linewidth=0, zorder=1)


def _staircase(corners: FloatArray, least: FloatArray) -> FloatArray:
    """Boundary (2n + 1, 2) of the region that corners (n, 2) dominate, down to the minima (2,)."""
    x = np.concatenate([least[:1], np.repeat(corners[:, 0], 2)])
    y = np.concatenate([np.repeat(corners[:, 1], 2), least[1:]])
    return np.stack([x, y], axis=1)


def _union(axis: "Axes", points: FloatArray, theme: Theme) -> None:
    """Front of all methods in one plane, as the staircase that bounds what is dominated."""
    front = points[metrics.nondominated(points)]
    front = front[np.argsort(front[:, 0])]
    if len(front) > 1:
        axis.step(
            *front.T, where="pre", color=theme.ink, linestyle=(0, (4, 3)), linewidth=1, alpha=0.55
        )


def _best(axis: "Axes", oracle: Oracle, edge: Places, pair: tuple[int, int], theme: Theme) -> None:
    """Oracle's points at preferences with weight on these two objectives only."""
    axis.plot(*oracle.mean[edge][:, pair].T, color=theme.ink, zorder=6, **ORACLE)
