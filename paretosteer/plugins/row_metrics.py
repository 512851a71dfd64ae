"""Leaderboard metrics of plug-ins, guarded so that an error affects only their own column."""

from __future__ import annotations

import math
from collections.abc import Collection
from copy import deepcopy
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np

from paretosteer.errors import PLUGIN_ERRORS, first_line
from paretosteer.metrics.row_metric import RowMetric
from paretosteer.plugins import registry

if TYPE_CHECKING:
    from paretosteer.metrics.input_checks import FloatOrArray


def plugin_metrics(reserved: Collection[str], prefixes: tuple[str, ...]) -> list[RowMetric]:
    """Metrics of plug-ins that work, by name, with a note on each that is left out.

    `reserved` are names of built-in columns; `prefixes` are the beginnings of those that end in
    the name of an objective or a phase.
    """
    found = []
    for name, metric in registry.working("metrics", registry.names("metrics")):
        if name in reserved or name.startswith(prefixes):
            registry.note(f"metric {name!r}: a built-in column has that name; rename it")
        else:
            found.append(_guarded(metric))
    return found


def _guarded(metric: RowMetric) -> RowMetric:
    """Metric, undefined where its function raises or does not give a number."""
    return replace(
        metric,
        function=partial(_value, metric),
        part="",
        meaning=f"{metric.meaning} (a plug-in's metric, version {metric.version}).",
    )


def _value(metric: RowMetric, *inputs: Any) -> FloatOrArray:
    """One value, or one for each of the sets of points (…, k, m) that intervals are made of."""
    assert metric.function  # checked when it was loaded
    sets = [inputs[metric.needs.index("points")].shape[:-2]] if "points" in metric.needs else [()]
    try:  # on copies, so that a plug-in that modifies its inputs does not affect other metrics
        result = metric.function(*deepcopy(inputs))
        value = np.asarray(getattr(result, metric.part) if metric.part else result, dtype=float)
        if value.shape not in sets:
            raise TypeError(f"gives shape {value.shape} where {sets[0]} was expected")
    except PLUGIN_ERRORS as error:
        message = f"{type(error).__name__}: {first_line(error)}"
        registry.note(f"metric {metric.name!r} where it raises {message}")
        return math.nan
    return value
