"""Quantities against the weight of one objective: its value, and the oracle regret."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from paretosteer.report.analysis.bootstrap import Level, levels
from paretosteer.report.analysis.comparable import Setting
from paretosteer.report.analysis.drawn_ranges import beyond, drawn_ranges, enclosing
from paretosteer.report.analysis.evaluate_table import RowResult, TableResult
from paretosteer.report.analysis.oracle import Oracle
from paretosteer.report.figures.canvas import (
    ORACLE,
    PANEL,
    axis_label,
    footnote,
    legend,
    panels,
    plain,
)
from paretosteer.report.figures.clipping import Limits, arrows, set_limits
from paretosteer.report.figures.style import Style, Theme, styles

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

# On a logarithmic axis, which has no 0, shares below this are drawn at it.
FLOOR = 1e-4
_DECADES = 2

_HEIGHT = PANEL * 0.95


def draw_responses(result: TableResult, setting: Setting, theme: Theme) -> "Figure":
    """One panel per objective: its value at each weight on it, with intervals."""
    figure, axes = panels(len(setting.names), _HEIGHT, share=True)
    looks = styles(result, result.scored)
    ranges = drawn_ranges(result)
    limits = Limits(None, enclosing(ranges))  # the panels share one axis
    for i, axis in enumerate(axes):
        axis.axhline(0, color=theme.faint, linewidth=1, zorder=0)
        if result.oracle:
            _best(axis, result.oracle, i, theme)
        for each, look in zip(result.scored, looks, strict=True):
            assert each.curves  # scored
            line = each.curves.responses[i]
            _line(axis, line, look)
            arrows(axis, np.array([[level.weight, level.mean] for level in line]), limits, look)
        _weights(axis, setting.names[i])
        axis.set_title(plain(setting.names[i]), loc="left", fontweight="bold")
    axes[0].set_ylabel(axis_label("objective", setting))
    set_limits(axes[0], limits)
    legend(figure, result, looks, theme, oracle=result.oracle is not None)
    footnote(figure, beyond(result, ranges))
    return figure


def draw_regret(result: TableResult, setting: Setting, theme: Theme) -> "Figure":
    """Oracle regret against the first objective's weight; of more than two, one panel for each."""
    names = setting.names if len(setting.names) > 2 else setting.names[:1]
    figure, axes = panels(len(names), _HEIGHT, share=True)
    looks = styles(result, result.scored)
    logarithmic = _spans_decades(result)
    for i, axis in enumerate(axes):
        for height in (0, 1):  # the optimum, the start model
            axis.axhline(height, color=theme.faint, linewidth=1, zorder=0)
        for each, look in zip(result.scored, looks, strict=True):
            line = _regret(each)[i]
            _line(axis, [_raised(level) for level in line] if logarithmic else line, look)
        _weights(axis, names[i])
        if len(names) > 1:
            axis.set_title(plain(names[i]), loc="left", fontweight="bold")
    if logarithmic:
        axes[0].set_yscale("log")
    axes[0].set_ylim(*_limits(result, logarithmic))
    axes[0].set_ylabel("oracle regret (share of the possible gain)")
    legend(figure, result, looks, theme, oracle=False)
    return figure


def _regret(each: RowResult) -> Sequence[Sequence[Level]]:
    assert each.curves and each.curves.regret  # of a table with regret
    return each.curves.regret.levels


def _all_levels(result: TableResult) -> list[Level]:
    return [level for each in result.scored for line in _regret(each) for level in line]


def _spans_decades(result: TableResult) -> bool:
    """True if shares, all at least 0 up to rounding, differ by orders of magnitude."""
    shares = [level.mean for level in _all_levels(result)]
    return min(shares) > -FLOOR and max(shares) > max(min(shares), FLOOR) * 10**_DECADES


def _limits(result: TableResult, logarithmic: bool) -> tuple[float, float]:
    all_levels = _all_levels(result)
    # Without intervals their ends are NaN, which these pass over.
    highest = np.nanmax([[level.mean, level.high] for level in all_levels])
    if logarithmic:
        # Not down to where bands end: one that reaches 0 would take most of the axis.
        return max(min(level.mean for level in all_levels), FLOOR) / 1.5, highest * 1.5
    lowest = min(0.0, np.nanmin([[level.mean, level.low] for level in all_levels]))
    margin = max(0.04 * (highest - lowest), FLOOR)
    return lowest - margin, highest + margin


def _raised(level: Level) -> Level:
    """A level that a logarithmic axis can show."""
    mean, low, high = np.maximum((level.mean, level.low, level.high), FLOOR)
    return Level(level.weight, mean, low, high)


def _best(axis: "Axes", oracle: Oracle, objective: int, theme: Theme) -> None:
    values = oracle.mean[:, objective]
    best = levels(values, None, oracle.preferences[:, objective])
    axis.plot(
        [level.weight for level in best],
        [level.mean for level in best],
        color=theme.ink,
        zorder=6,
        **ORACLE,
    )


def _line(axis: "Axes", line: Sequence[Level], look: Style) -> None:
    weights = [level.weight for level in line]
    axis.fill_between(
        weights,
        [level.low for level in line],
        [level.high for level in line],
        color=look.colour,
        alpha=0.16,
        linewidth=0,
    )
    axis.plot(
        weights,
        [level.mean for level in line],
        color=look.colour,
        linestyle=look.line,
        marker=look.marker,
        markersize=5,
        linewidth=1.7,
    )


def _weights(axis: "Axes", name: str) -> None:
    from matplotlib.ticker import MultipleLocator

    axis.set_xlabel(plain(f"weight on {name}"))
    axis.set_xlim(-0.02, 1.02)
    axis.xaxis.set_major_locator(MultipleLocator(0.2))
