"""Front of a row alone: the number of points that count."""

from paretosteer import metrics
from paretosteer.metrics.row_metric import RowMetric

METRICS = (
    RowMetric(
        "points_outside",
        "shown",
        "points that are not above the reference point",
        title="Points outside",
        meaning="Number of the method's points that are not above the reference point in every "
        "objective, and so add no hypervolume.",
        format=".3g",
        section="front",
        function=lambda points, reference: metrics.points_outside(points, reference),
        needs=("points", "reference"),
    ),
    RowMetric(
        "front_size",
        "shown",
        "own distinct nondominated points",
        title="Front size",
        meaning="Number of the method's distinct points that no other of its points dominates. "
        "Points that are equal in every objective count once.",
        version="2",
        format=".3g",
        section="front",
        place=2,
        function=lambda points: metrics.front_size(points),
        needs=("points",),
    ),
)
