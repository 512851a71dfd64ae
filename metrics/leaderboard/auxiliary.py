"""A main objective and the others apart, as COS-DPO reports them (arXiv 2410.08316, table 1)."""

from __future__ import annotations

from math import inf
from typing import TYPE_CHECKING

from paretosteer import metrics
from paretosteer.metrics.row_metric import RowMetric

if TYPE_CHECKING:
    from paretosteer.metrics.input_checks import FloatArray


def _above_origin(points: FloatArray) -> float:
    """Hypervolume of points (k, n) above the origin; a length where n is 1."""
    if points.shape[1] == 1:
        return max(0.0, float(points.max()))
    return metrics.hypervolume(points, [0.0] * points.shape[1])


METRICS = (
    RowMetric(
        "auxiliary_hypervolume",
        "up",
        "raw hypervolume of the auxiliary objectives from the origin",
        title="Auxiliary HV",
        meaning="Hypervolume of the objectives other than the main one, in raw units above the "
        "origin.",
        format=".4g",
        bounds=(0.0, inf),
        section="further",
        place=4,
        function=_above_origin,
        needs=("auxiliary_points",),
    ),
    RowMetric(
        "main_objective",
        "up",
        "main objective, raw, mean over preferences",
        title="Main objective",
        meaning="Raw score of the main objective, averaged over preferences.",
        format="z.4f",
        optional=True,
        section="further",
        place=4,
        function=lambda scores: scores.mean(),
        needs=("main_scores",),
    ),
)
