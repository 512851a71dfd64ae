"""A row's own front: how many of its points count."""

from paretosteer import metrics
from paretosteer.metrics.row_metric import RowMetric

METRICS = (
    RowMetric(
        "points_outside",
        "shown",
        "points that are not above the reference point",
        title="Points outside",
        meaning="How many of the method's points are not above the reference point in every "
        "objective, and so add no hypervolume.",
        format=".3g",
        section="front",
        function=lambda points, reference: metrics.points_outside(points, reference),
        needs=("points", "reference"),
    ),
    RowMetric(
        "front_size",
        "up",
        "own nondominated points",
        title="Front size",
        meaning="How many of the method's own points none of its others dominates.",
        format=".3g",
        section="front",
        place=2,
        function=lambda points: metrics.front_size(points),
        needs=("points",),
    ),
)
