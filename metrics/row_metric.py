"""Declaration of a leaderboard metric.

Columns, listing, tables, terminal, the checks of `validate` and the figures of trackers follow from
it. Imports nothing heavy, so that metrics can be listed in milliseconds.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import KW_ONLY, dataclass, replace
from math import inf
from typing import Any, Literal

Direction = Literal["up", "down", "shown"]
Section = Literal["quality", "steering", "front", "further", "cost", ""]

OBJECTIVE = "{objective}"
# Also what such a name is made into, so that no two objectives have one column.
_END = re.compile(r"^(objective_)*(low|high|error)$")

# Inputs that a metric may need. Row l of the points is the outcome at preference l.
ROW_INPUTS = {
    "points": "(k, m)",
    "scores": "(k, prompts, m), separately for each test prompt; one prompt where only points are "
    "known",
    "preferences": "(k, m)",
    "reference": "reference point (m,)",
    "raw_points": "(k, m), in raw units",
    "raw_reference": "the user's reference point in raw units (m,), where one is given",
    "main_scores": "(k,), raw, where one objective is the main one",
    "auxiliary_points": "(k, m - 1), raw, the objectives other than the main one",
    "dpo_losses": "(k, m), DPO loss of each objective on its held-out pairs",
    "front": "oracle's points, or union front of the table, (n, m)",
    "standard_points": "(k, m), where the points are in standard units of the start model",
    "optimum": "metrics.optimum.Optimum, where the best possible is known",
    "learnable": "places (n,) of the preferences at which the optimum beats the start model",
    "exact": "whether all hypervolumes of the table are exact; otherwise, all are estimated",
    "kl": "(k,), nats per sample away from the start model",
    "response_covariances": "(k, m, m), of single responses at a point, standard units",
    "collapsed": "(k,), share of answers that are near-empty or repeat a phrase",
    "dials": "(d, m), dials of a method's own cube, one per objective",
    "dial_points": "(d, m), points at these dials",
    "raw_bounds": "lowest and highest raw values that the user gave, (2, m)",
    "start_nll": "(k,), nats per sample under the start model",
    "tokens": "(k,), tokens per sample",
}
# A built-in metric that needs "rows", the `metrics.measure.Points` of a whole table, compares them
# and gives one value for each. It may also need the rows at other preferences.
ROWS, OTHER_GRIDS = "rows", "other_grids"


def column_of(name: str, objective: str) -> str:
    """Column of one objective, for a name with `{objective}` in it.

    An objective called `low` has `controllability_objective_low`, because `controllability_low` is
    an end of the interval of `controllability`.
    """
    return name.replace(OBJECTIVE, _END.sub(r"objective_\g<0>", objective))


@dataclass(frozen=True)
class Column:
    """A column of the leaderboard and its presentation.

    Attributes
    ----------
    name
        Column of `leaderboard.csv`. With `{objective}` in it, one column per objective.
    direction
        "up" or "down", whichever is better; "shown" if rows are never ranked by it alone.
    summary
        One short line.
    title
        Heading in tables; by default the name.
    meaning
        Explanation in the page's glossary; by default the summary.
    format
        Format specification of a value, or a function that writes it.
    whole
        True if the value is a count.
    interval
        Method that gives NAME_low and NAME_high (see `metrics.resampling`); "" for no interval.
        "pairs" and "cross_fit" are those of controllability and steering regret.
    interval_shown
        True if tables show the interval beside the value.
    optional
        True if `leaderboard.csv` omits the column when no row has a value.
    section
        Table of the page that shows the column; "" for none. Main tables show "quality".
    place
        Position within its section.
    terminal
        Position on a terminal; 0 if not shown there.
    sparse
        True if a terminal omits the column when no row has a value.
    """

    name: str
    direction: Direction = "shown"
    summary: str = ""
    _: KW_ONLY
    title: str = ""
    meaning: str = ""
    format: str | Callable[[Any], str] = "z.4g"
    whole: bool = False
    interval: Literal["", "reflected", "symmetric", "percentile", "pairs", "cross_fit"] = ""
    interval_shown: bool = True
    optional: bool = False
    section: Section = ""
    place: int = 100
    terminal: int = 0
    sparse: bool = False

    def __post_init__(self) -> None:
        object.__setattr__(self, "title", self.title or self.name)
        object.__setattr__(self, "meaning", self.meaning or self.summary)

    @property
    def heading(self) -> str:
        """Title with the arrow of the better direction."""
        return self.title + {"up": " ↑", "down": " ↓", "shown": ""}[self.direction]

    @property
    def better(self) -> int:
        """1 if higher is better, −1 if lower is, 0 if rows are not ranked by the column."""
        return {"up": 1, "down": -1, "shown": 0}[self.direction]

    @property
    def names(self) -> tuple[str, ...]:
        """Columns of `leaderboard.csv`: the value, and the ends of its interval."""
        ends = (f"{self.name}_low", f"{self.name}_high") if self.interval else ()
        return (self.name, *ends)

    @property
    def per_objective(self) -> bool:
        """True if there is one column per objective."""
        return OBJECTIVE in self.name

    def of(self, objective: str) -> Column:
        """Column of one objective."""
        return replace(
            self,
            name=column_of(self.name, objective),
            title=self.title.replace(OBJECTIVE, objective),
            summary=self.summary.replace(OBJECTIVE, objective),
            meaning=self.meaning.replace(OBJECTIVE, objective),
        )

    def text(self, figures: Mapping[str, Any]) -> str:
        """Value of a row for readers, with standard error and interval; "" if it has none."""
        if self.name not in figures:
            return ""
        text = self._written(figures[self.name])
        if error := figures.get(f"{self.name}_error"):
            text += f" ± {error:.2g}"
        # Without an interval these are columns of others: of an objective called `a_low`, say.
        ends = ("low", "high") if self.interval else ()
        low, high = [figures.get(f"{self.name}_{end}") for end in ends] or (None, None)
        if self.interval_shown and low is not None and high is not None:
            text += f" [{self._written(low)}, {self._written(high)}]"
        return text

    def _written(self, value: Any) -> str:
        if callable(self.format):
            return self.format(value)
        return format(value, self.format).replace("-", "−")


@dataclass(frozen=True)
class RowMetric(Column):
    """A metric of the rows of a leaderboard, built-in or a plug-in's.

    A plug-in needs only

        RowMetric("spread", "up", "mean range of the objectives", version="1", function=spread)

    with a `function` of points (k, m), preferences (k, m) and the reference point (m,).

    Attributes
    ----------
    version
        Changes with the definition.
    function
        Returns the value, or one value per objective, from the inputs in `needs`; None or NaN if it
        is undefined. For a metric with an interval it must accept points with leading axes,
        (…, k, m). A metric without a function is computed by the report's statistics.
    needs
        Names in `ROW_INPUTS`, in the order of the function's arguments. A table without one of them
        does not have the metric.
    part
        Attribute of the function's result that is the value, if the result is a named tuple.
    bounds
        Least and largest possible value, to which the interval is clipped.
    tracked
        True if trackers log it for every cell.
    """

    _: KW_ONLY
    version: str = "1"
    function: Callable[..., Any] | None = None
    needs: tuple[str, ...] = ("points", "preferences", "reference")
    part: str = ""
    bounds: tuple[float, float] = (-inf, inf)
    tracked: bool = False
    section: Section = "quality"
