"""Axes that end before points far out, and the arrows that mark these points."""

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from paretosteer.metrics.input_checks import FloatArray
from paretosteer.report.analysis.drawn_ranges import DrawnRange
from paretosteer.report.figures.style import Style

if TYPE_CHECKING:
    from matplotlib.axes import Axes

# Share of a range that is left free at both of its ends.
MARGIN = 0.08

_ARROW = 15  # points (of 1/72 inch)


@dataclass(frozen=True)
class Limits:
    """Ranges of both axes of a panel; None leaves an axis to Matplotlib."""

    x: DrawnRange | None
    y: DrawnRange | None

    def nearest(self, point: FloatArray) -> tuple[float, float]:
        """Place inside the axes that is nearest to a point (2,)."""
        return _into(point[0], self.x), _into(point[1], self.y)


def set_limits(axis: "Axes", limits: Limits) -> None:
    """End the axes that are clipped; the others show all there is."""
    if limits.x and limits.x.clipped:
        axis.set_xlim(_ends(limits.x))
    if limits.y and limits.y.clipped:
        axis.set_ylim(_ends(limits.y))


def arrows(axis: "Axes", points: FloatArray, limits: Limits, look: Style) -> None:
    """Draw an arrow at the end of an axis towards each of the points (k, 2) beyond it."""
    for point in points:
        inside = limits.nearest(point)
        away = np.sign(point - inside)
        if away.any():
            axis.annotate(
                "",
                xy=inside,
                xytext=tuple(-_ARROW * away),
                textcoords="offset points",
                arrowprops={
                    "arrowstyle": "-|>",
                    "color": look.colour,
                    "linewidth": 1.2,
                    "shrinkA": 0,
                    "shrinkB": 0,
                },
                zorder=7,
            )


def _into(value: float, shown: DrawnRange | None) -> float:
    if not shown or not shown.clipped:
        return float(value)
    return float(np.clip(value, *_ends(shown)))


def _ends(shown: DrawnRange) -> tuple[float, float]:
    margin = MARGIN * (shown.high - shown.low)
    return shown.low - margin, shown.high + margin
