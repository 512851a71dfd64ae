"""Metrics of plug-ins: which there are, and what they say of points."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from paretosteer.errors import PLUGIN_ERRORS, first_line
from paretosteer.metrics.catalogue import METRICS, PointMetric
from paretosteer.plugins import registry

if TYPE_CHECKING:
    from paretosteer.metrics.input_checks import FloatArray

# How names of built-in columns begin that an objective's or a phase's name ends.
_FAMILIES = ("controllability_", "range_", "seconds_")


def point_metrics() -> list[PointMetric]:
    """Those that work, by name; one that is named as a built-in column is said and left out."""
    from paretosteer.report.outputs.leaderboard import (  # which measures with these
        COLUMNS,
        FURTHER_COLUMNS,
    )

    taken = {*METRICS, *COLUMNS, *FURTHER_COLUMNS}
    found = []
    for name, metric in registry.working("metrics", registry.names("metrics")):
        if name in taken or name.startswith(_FAMILIES):
            registry.note(f"metric {name!r}: a built-in column has that name; rename it")
        else:
            found.append(metric)
    return found


def measured(
    points: FloatArray, preferences: FloatArray, reference: Sequence[float]
) -> dict[str, float]:
    """What each says of points (k, m) at preferences (k, m) above a reference (m,).

    One that raises is said and left out, one that gives no finite number is not defined there.
    """
    found = {each.name: _value(each, points, preferences, reference) for each in point_metrics()}
    return {name: value for name, value in found.items() if math.isfinite(value)}


def _value(
    metric: PointMetric, points: FloatArray, preferences: FloatArray, reference: Sequence[float]
) -> float:
    try:  # copies: what a plug-in changes is its own
        return float(metric.function(points.copy(), preferences.copy(), np.array(reference, float)))
    except PLUGIN_ERRORS as error:
        told = f"{type(error).__name__}: {first_line(error)}"
        registry.note(f"metric {metric.name!r} where it raises {told}")
        return math.nan
