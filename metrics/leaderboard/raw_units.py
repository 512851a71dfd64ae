"""Utility of the points offered, and hypervolume in the units that papers print."""

from __future__ import annotations

from math import inf
from typing import TYPE_CHECKING

from paretosteer import metrics
from paretosteer.metrics.row_metric import RowMetric

if TYPE_CHECKING:
    from paretosteer.metrics.input_checks import FloatArray, FloatOrArray


def _inner_product(preferences: FloatArray, points: FloatArray) -> FloatOrArray:
    return metrics.inner_product(preferences, points)


def _bounded_inner_product(
    preferences: FloatArray, points: FloatArray, bounds: FloatArray
) -> FloatOrArray:
    low, high = bounds
    return metrics.inner_product(preferences, (points - low) / (high - low))


METRICS = (
    RowMetric(
        "mip",
        "up",
        "mean inner product with the preference, standard units",
        title="MIP",
        meaning="Mean over preferences of the utility of the point offered there, ⟨μ, f⟩, in "
        "standard units of the start model.",
        format="z.3f",
        section="further",
        place=2,
        function=_inner_product,
        needs=("preferences", "standard_points"),
    ),
    RowMetric(
        "mip_raw",
        "up",
        "mean inner product with the preference, raw units",
        title="MIP, raw",
        meaning="The same in the objectives' own units, as papers print it. An objective with "
        "larger numbers counts for more.",
        format="z.4g",
        section="further",
        place=2,
        function=_inner_product,
        needs=("preferences", "raw_points"),
    ),
    RowMetric(
        "mip_bounded",
        "up",
        "mean inner product, raw units between the user's bounds",
        title="MIP, bounded",
        meaning="The same, with every objective rescaled so that the lowest raw value that the "
        "user gave is 0 and the highest is 1. These values are fixed: bounds taken from the "
        "compared methods would change every row with each method added.",
        format="z.4g",
        section="further",
        place=2,
        function=_bounded_inner_product,
        needs=("preferences", "raw_points", "raw_bounds"),
    ),
    RowMetric(
        "hypervolume_raw",
        "up",
        "hypervolume in raw units above the user's reference",
        title="HV, raw",
        meaning="Hypervolume in the objectives' own units above the reference point that the user "
        "gave, to compare with published tables.",
        format="z.4g",
        bounds=(0.0, inf),
        optional=True,
        place=4,
        function=lambda points, reference, exact: metrics.hypervolume(points, reference, exact),
        needs=("raw_points", "raw_reference", "exact"),
    ),
)
