"""Proxy and judge side by side, which shows reward hacking.

The proxy is the reward model of an objective that training used. The judge is a second one, trained
from other pairs, on which no method was trained. Where the proxy rises and the judge does not, the
reward model was hacked.
"""

from typing import TYPE_CHECKING

import numpy as np

from paretosteer.report.analysis.comparable import Setting
from paretosteer.report.analysis.evaluate_table import TableResult
from paretosteer.report.figures.canvas import PANEL, legend, panels, plain
from paretosteer.report.figures.style import Theme, styles

if TYPE_CHECKING:
    from matplotlib.figure import Figure


def draw_judged(result: TableResult, setting: Setting, theme: Theme) -> "Figure":
    """One panel per objective: every point's value by the judge against that by the proxy."""
    figure, axes = panels(len(setting.names), PANEL)
    looks = styles(result, result.scored)
    for i, axis in enumerate(axes):
        axis.axline((0, 0), slope=1, color=theme.faint, linewidth=1, zorder=0)
        for each, look in zip(result.scored, looks, strict=True):
            assert each.curves  # scored
            if each.curves.judged is None:
                continue
            order = np.argsort(np.array(setting.preferences)[:, i], kind="stable")
            axis.plot(
                each.curves.band.mean[order, i],
                each.curves.judged[order, i],
                color=look.colour,
                marker=look.marker,
                markersize=5,
                linestyle=look.line,
                linewidth=1.2,
            )
        axis.set_title(plain(setting.names[i]), loc="left", fontweight="bold")
        axis.set_xlabel("proxy (start-model standard units)")
    axes[0].set_ylabel("judge (start-model standard units)")
    legend(figure, result, looks, theme, oracle=False)
    return figure
