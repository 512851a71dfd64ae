"""Quality against its cost: drift from the start model, steps of training."""

from typing import TYPE_CHECKING

from paretosteer.report.analysis.budget_curves import ladders
from paretosteer.report.analysis.comparable import Setting
from paretosteer.report.analysis.evaluate_table import TableResult
from paretosteer.report.figures.canvas import PANEL, legend, panels, plain
from paretosteer.report.figures.style import Theme, styles

if TYPE_CHECKING:
    from matplotlib.figure import Figure

_HEIGHT = PANEL * 0.95


def draw_drift(result: TableResult, setting: Setting, theme: Theme) -> "Figure":
    """Hypervolume of the points whose KL is below a threshold, against the threshold."""
    drift = result.equal_drift
    assert drift  # the figure is drawn only if it was measured
    figure, (axis,) = panels(1, _HEIGHT)
    axis.axvline(drift.middle, color=theme.faint, linewidth=1, zorder=0)
    looks = styles(result, result.scored)
    for each, look in zip(result.scored, looks, strict=True):
        if each.row.label in drift.volumes:
            axis.step(
                drift.thresholds,
                drift.volumes[each.row.label],
                where="post",
                color=look.colour,
                linestyle=look.line,
                marker=look.marker,
                markersize=4,
                linewidth=1.7,
            )
    if drift.thresholds[-1] > 20 * drift.thresholds[0]:
        axis.set_xscale("log")
    axis.set_xlabel("KL below (nats per sample)")
    axis.set_ylabel("hypervolume of the points below")
    legend(figure, result, looks, theme, oracle=False)
    return figure


def draw_budgets(result: TableResult, setting: Setting, theme: Theme) -> "Figure":
    """Hypervolume against the cap on optimiser steps, one line per configuration."""
    figure, (axis,) = panels(1, _HEIGHT)
    lines = ladders(result.scored)
    looks = styles(result, [ladder.rows[0] for ladder in lines])
    for ladder, look in zip(lines, looks, strict=True):
        figures = [each.figures for each in ladder.rows]
        volumes = [each["hypervolume"] for each in figures]
        axis.errorbar(
            [float(each.row.cap or 0) for each in ladder.rows],
            volumes,
            yerr=[
                [each["hypervolume"] - each["hypervolume_low"] for each in figures],
                [each["hypervolume_high"] - each["hypervolume"] for each in figures],
            ],
            color=look.colour,
            linestyle=look.line,
            marker=look.marker,
            linewidth=1.7,
            elinewidth=1,
            label=plain(ladder.label),
        )
    axis.set_xlabel("cap on optimiser steps")
    axis.set_ylabel("hypervolume")
    figure.legend(loc="outside right center", frameon=False, labelcolor=theme.ink)
    return figure
