"""Utility of users with linear preferences, attained and possible."""

from __future__ import annotations

from typing import TYPE_CHECKING

from paretosteer import metrics
from paretosteer.metrics.row_metric import RowMetric

if TYPE_CHECKING:
    from paretosteer.metrics.input_checks import FloatArray


def _loss(preferences: FloatArray, points: FloatArray, front: FloatArray) -> metrics.UtilityLoss:
    return metrics.utility_loss(preferences, points, front)


METRICS = (
    RowMetric(
        "utility_loss",
        "down",
        "best utility on the oracle or union front minus that offered",
        title="Utility loss",
        meaning="Average utility, in standard units, that a user loses because this method's "
        "point at their preference is worse than the best point of the oracle's or union front.",
        format="z.3f",
        place=7,
        function=_loss,
        needs=("preferences", "points", "front"),
        part="mean",
    ),
    RowMetric(
        "expected_utility",
        "up",
        "mean over preferences of the best own utility (EUM)",
        title="Expected utility",
        meaning="Mean over preferences of the best utility among the method's own points.",
        format="z.3f",
        section="further",
        place=2,
        tracked=True,
        function=lambda preferences, points: metrics.expected_utility(preferences, points),
        needs=("preferences", "points"),
    ),
    RowMetric(
        "utility_loss_max",
        "down",
        "utility loss at the preference where it is largest",
        title="Worst loss",
        meaning="Utility loss at the preference where it is largest.",
        format="z.3f",
        section="further",
        place=3,
        function=_loss,
        needs=("preferences", "points", "front"),
        part="maximum",
    ),
)
