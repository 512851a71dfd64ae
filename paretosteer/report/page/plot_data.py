"""Data of the page's plots and dial, as JSON."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from markupsafe import Markup

from paretosteer import metrics
from paretosteer.metrics.row_metric import Column
from paretosteer.report.analysis.budget_curves import ladders
from paretosteer.report.analysis.comparable import Setting
from paretosteer.report.analysis.dial_cubes import cube
from paretosteer.report.analysis.drawn_ranges import beyond, drawn_ranges
from paretosteer.report.analysis.evaluate_table import Curves, RowResult, TableResult
from paretosteer.report.analysis.paired_utility import PairedUtility
from paretosteer.report.analysis.replicates import damaged_places
from paretosteer.report.columns import section
from paretosteer.report.figures.front_planes import ABOUT_ORIGIN, about_best
from paretosteer.report.figures.style import Style, styles
from paretosteer.report.outputs.report_json import plain
from paretosteer.report.outputs.text_tables import decoding_columns
from paretosteer.report.page.carried_texts import packed_texts
from paretosteer.report.page.cell_list import turn_title
from paretosteer.report.page.keys import key
from paretosteer.report.page.learning_curves import learning_curves
from paretosteer.report.page.sample_texts import SampleTexts
from paretosteer.report.page.script_json import safe_json

# Axes of the plot of quality against cost; the others are shown in the table of costs.
_COSTS = (
    *("train_steps", "train_tokens", "flops", "seconds_train", "stored_bytes"),
    *("forward_passes_per_token", "reward_calls_per_answer"),
)

_UNITS = {"seconds_train": "seconds", "stored_bytes": "bytes"}  # of the others: counts

_BILL = ("train_steps", "flops", "seconds_train")  # on the cards of the dial, with decoding costs


def plot_data(
    results: Sequence[TableResult],
    texts: Sequence[SampleTexts],
    pairs: Sequence[PairedUtility | None],
    anchors: Mapping[Path, str],
    text_bytes: int,
) -> Markup:
    """JSON of every scored table, with texts of at most `text_bytes` in all.

    `anchors` are the places of cells in the page's list.
    """
    scored = [
        (result, own, paired)
        for result, own, paired in zip(results, texts, pairs, strict=True)
        if paired
    ]
    return safe_json([_table(*each, anchors, text_bytes // len(scored)) for each in scored])


def _table(
    result: TableResult,
    texts: SampleTexts,
    pairs: PairedUtility,
    anchors: Mapping[Path, str],
    allowed: int,
) -> dict[str, Any]:
    setting = result.table.setting
    assert setting  # a scored table has one
    looks = styles(result, result.rows)
    drift = result.equal_drift
    bill = _bill(result)
    ranges = drawn_ranges(result)
    measured: dict[str, Any] = plain(
        {
            "number": result.table.number,
            "names": setting.names,
            "less": f" − {setting.kl_coefficient:g} × KL" if setting.kl_coefficient else "",
            "preferences": setting.preferences,
            "union": result.union,
            "reading": f"{about_best(result)} {ABOUT_ORIGIN}",
            # Null where an axis shows every point.
            "ranges": [[each.low, each.high] if each.clipped else None for each in ranges],
            "beyond": beyond(result, ranges),
            "oracle": result.oracle.mean if result.oracle else None,
            "costs": [
                {
                    "figure": column.name,
                    "title": column.title,
                    "unit": _UNITS.get(column.name, ""),
                }
                for column in result.present(section("cost"))
                if column.name in _COSTS
            ],
            "rows": [
                _row(each, setting, look, bill)
                | {
                    "drift": drift.volumes.get(each.row.label) if drift else None,
                    "cells": [
                        [turn_title(it.cell), anchors.get(it.cell.path)]
                        for it in each.row.replicates
                    ],
                }
                for each, look in zip(result.rows, looks, strict=True)
                if each.curves
            ],
            "drift": {"thresholds": drift.thresholds, "middle": drift.middle} if drift else None,
            "ladders": _ladders(result),
            "alike": pairs.alike(),
            "learning": learning_curves(result),
        }
    )
    return measured | {"texts": packed_texts(result, texts, allowed)}


def _bill(result: TableResult) -> list[Column]:
    costs = [column for column in section("cost") if column.name in _BILL]
    return [*costs, *decoding_columns(result)]


def _ladders(result: TableResult) -> list[dict[str, Any]]:
    """Rows that differ in budget alone, as places among the scored ones, with their caps."""
    places = {each.row.label: place for place, each in enumerate(result.scored)}
    return [
        {
            "label": ladder.label,
            "steps": [{"row": places[each.row.label], "cap": each.row.cap} for each in ladder.rows],
        }
        for ladder in ladders(result.scored)
    ]


def _row(each: RowResult, setting: Setting, look: Style, bill: Sequence[Column]) -> dict[str, Any]:
    assert each.curves  # scored
    return {
        "label": each.row.label,
        "exempt": each.row.exempt,
        "mark": each.row.mark,
        "colour": look.colour,
        "marker": look.marker,
        "line": look.line,
        "key": key(look),
        **_points(each, each.curves),
        "utility": {
            "mean": each.curves.utility.mean,
            "low": each.curves.utility.low,
            "high": each.curves.utility.high,
        },
        "dialled": each.curves.dialled,
        "responses": [
            [[level.weight, level.mean, level.low, level.high] for level in levels]
            for levels in each.curves.responses
        ],
        "volume": [each.figures[f"hypervolume{end}"] for end in ("", "_low", "_high")],
        "costs": {name: each.figures[name] for name in _COSTS if name in each.figures},
        "bill": " · ".join(
            f"{column.title} {column.text(each.figures)}"
            for column in bill
            if column.name in each.figures
        ),
        "cube": _cube(each, setting),
    }


def _points(each: RowResult, curves: Curves) -> dict[str, Any]:
    """Points with intervals (k, m), and of each the drift, damage, and whether on the own front."""
    drifts = [replicate.drift.get("kl") for replicate in each.row.replicates]
    known = [drift for drift in drifts if drift is not None]
    return {
        "mean": curves.band.mean,
        "low": curves.band.low,
        "high": curves.band.high,
        "kl": np.mean(known, axis=0) if len(known) == len(drifts) else None,
        "front": metrics.nondominated(curves.band.mean),
        "damaged": damaged_places(each.row.replicates),
    }


def _cube(each: RowResult, setting: Setting) -> dict[str, Any] | None:
    own = cube(each, setting)
    return {"dials": own.dials, "points": own.points} if own else None
