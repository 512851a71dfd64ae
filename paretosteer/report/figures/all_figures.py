"""Fronts, responses, regret, drift, budgets and judges of one table, as SVG and PNG.

The same records give the same SVG bytes: no date, and element names that do not change.
"""

import io
import warnings
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from paretosteer.report.analysis.budget_curves import ladders
from paretosteer.report.analysis.comparable import Setting
from paretosteer.report.analysis.evaluate_table import TableResult
from paretosteer.report.figures.canvas import look
from paretosteer.report.figures.front_planes import (
    ABOUT_ORIGIN,
    CROSSED,
    SINGLE,
    about_best,
    draw_fronts,
    has_band,
)
from paretosteer.report.figures.over_cost import draw_budgets, draw_drift
from paretosteer.report.figures.over_weight import FLOOR, draw_regret, draw_responses
from paretosteer.report.figures.proxy_and_judge import draw_judged
from paretosteer.report.figures.style import LIGHT, Theme
from paretosteer.report.outputs.notes import resampled

if TYPE_CHECKING:
    from matplotlib.figure import Figure


@dataclass(frozen=True)
class Drawing:
    """One figure of a table: stem of its file names, caption, and drawing function."""

    name: str
    caption: Callable[[TableResult], str]
    draw: Callable[[TableResult, Setting, Theme], "Figure"]


def drawings(result: TableResult) -> tuple[Drawing, ...]:
    """Drawings of a table."""
    if not result.scored:
        return ()
    has = {
        FRONTS: True,
        RESPONSES: True,
        REGRET: result.regretted,
        DRIFT: result.equal_drift is not None,
        BUDGETS: bool(ladders(result.scored)),
        JUDGED: result.judged,
    }
    return tuple(drawing for drawing in DRAWINGS if has[drawing])


def render(result: TableResult, drawing: Drawing, form: str, theme: Theme = LIGHT) -> bytes:
    """One figure of a scored table as `svg` or `png`."""
    setting = result.table.setting
    assert setting  # a scored table has one
    with look(theme, drawn_text(result)), warnings.catch_warnings():
        # One warning per character and figure; the report warns once (`missing_note`).
        warnings.filterwarnings("ignore", r"Glyph \d+ .* missing|Matplotlib currently does not")
        figure = drawing.draw(result, setting, theme)
        buffer = io.BytesIO()
        metadata = {"Date": None} if form == "svg" else {"Software": None}
        figure.savefig(buffer, format=form, dpi=160, metadata=metadata)
    return buffer.getvalue()


def drawn_text(result: TableResult) -> str:
    """Names that the figures of a table show."""
    names = result.table.setting.names if result.table.setting else ()
    return "".join([*names, *(each.row.label for each in result.scored)])


def _about_fronts(result: TableResult) -> str:
    band = (
        f" The shaded area is attained by a quarter to three quarters of a method's {result.noun}s."
        if any(has_band(result, each) for each in result.scored)
        else ""
    )
    many = any(len(each.row.replicates) > SINGLE for each in result.scored)
    setting = result.table.setting
    crowded = setting is not None and len(setting.preferences) > CROSSED
    up = f" (left out of more than {CROSSED} points)" if crowded else ""
    few = f" of methods with no more than {SINGLE}" if many else ""
    return (
        "What each method reaches. Lines join, in order of preference, the points that weight only "
        "these two objectives. Filled points are on the method's own front; hollow ones are "
        f"dominated by another of its points. Bars are 95 % intervals{up}, small dots single "
        f"{result.noun}s{few}, and small × points at other dial values.{band} "
        f"{about_best(result)} {ABOUT_ORIGIN}"
    )


def _about_responses(result: TableResult) -> str:
    best = " The thin line is the oracle's response." if result.oracle else ""
    return (
        "Does an objective rise with its weight? Mean over all preferences with that weight; bands "
        f"are 95 % intervals over {resampled(result)}. A flat line means no steering.{best}"
    )


def _about_regret(result: TableResult) -> str:
    bands = f" Bands are 95 % intervals over {result.unit}s." if result.outer else ""
    return (
        "The gap to the best policy for each preference, as a share of the possible improvement: 0 "
        "is the best possible policy, 1 is no improvement. Mean "
        f"over all preferences with that weight.{bands} Where shares span more than two decades, "
        "the axis is logarithmic, and shares below "
        f"{FLOOR:g}, 0 among them, are drawn at {FLOOR:g}."
    )


def _about_drift(result: TableResult) -> str:
    assert result.equal_drift  # drawn where it is known
    return (
        "Hypervolume of each method's points whose KL from the start model is below a threshold; "
        f"mean per {result.noun}. The vertical line is at {result.equal_drift.middle:.3g} nats, "
        "the median KL of the competing methods' points, where the column “HV at equal drift” "
        "is read."
    )


def _about_budgets(result: TableResult) -> str:
    return (
        "What more training buys: hypervolume of the same configuration under several caps on "
        f"optimiser steps. Bars are 95 % intervals over {resampled(result)}."
    )


def _about_judged(result: TableResult) -> str:
    return (
        "Would another judge agree? Every point by the reward model used in training (proxy) and "
        "by one trained on other pairs, which no method was trained on (judge). Lines join "
        "points in order of the objective's weight. On the diagonal both agree; a line that moves "
        f"right without rising indicates reward hacking. Means of a {result.noun}'s points."
    )


FRONTS = Drawing("fronts", _about_fronts, draw_fronts)
RESPONSES = Drawing("responses", _about_responses, draw_responses)
REGRET = Drawing("regret", _about_regret, draw_regret)
DRIFT = Drawing("drift", _about_drift, draw_drift)
BUDGETS = Drawing("budgets", _about_budgets, draw_budgets)
JUDGED = Drawing("judged", _about_judged, draw_judged)
DRAWINGS = (FRONTS, RESPONSES, REGRET, DRIFT, BUDGETS, JUDGED)
