"""Single responses and single turns of a dial: what means over prompts do not show."""

from __future__ import annotations

from math import inf
from typing import TYPE_CHECKING

from paretosteer import metrics
from paretosteer.metrics.row_metric import RowMetric
from paretosteer.metrics.variety import FEWEST_WORDS, MOST_REPEATS, PHRASE_WORDS

if TYPE_CHECKING:
    from paretosteer.metrics.input_checks import FloatArray


def _steering_errors(dials: FloatArray, points: FloatArray) -> metrics.SteeringErrors | None:
    try:
        return metrics.steering_errors(*metrics.axis_goals(dials, points))
    except metrics.MetricError:  # a cube without its corners, or with a dial that does nothing
        return None


METRICS = (
    RowMetric(
        "crd",
        "down",
        "det of the covariance of responses at a preference",
        title="CRD",
        meaning="Conditional reward dispersion: determinant of the covariance of the scores of "
        "single responses at one preference, in standard units, averaged over preferences.",
        format=".3g",
        bounds=(0.0, inf),
        section="further",
        place=9,
        function=lambda covariances: metrics.dispersion_of(covariances),
        needs=("response_covariances",),
    ),
    RowMetric(
        "collapse_rate",
        "down",
        "share of answers near-empty or repeating a phrase",
        title="Collapse",
        meaning=f"Share of answers of fewer than {FEWEST_WORDS} words, or in which a phrase of "
        f"{PHRASE_WORDS} words occurs more than {MOST_REPEATS} times.",
        format=".3f",
        bounds=(0.0, 1.0),
        section="further",
        place=9,
        function=lambda collapsed: collapsed.mean(),
        needs=("collapsed",),
    ),
    RowMetric(
        "miscalibration",
        "down",
        "error in the requested direction, one dial turned",
        title="Miscalibration",
        meaning="Measured on a method's own cube of dials. Setting one dial to α asks for α times "
        "the change that the dial's end makes to its own objective, and for no other change. The "
        "metric is the error in the direction asked for, as a share of the change asked for, "
        "averaged over the settings. It is 0 by definition at a dial's end.",
        format=".3f",
        section="steering",
        function=_steering_errors,
        needs=("dials", "dial_points"),
        part="miscalibration",
    ),
    RowMetric(
        "orthogonality",
        "down",
        "change in other directions, one dial turned",
        title="Orthogonality",
        meaning="Measured like the miscalibration: the change in the other objectives, as a share "
        "of the change asked for.",
        format=".3f",
        section="steering",
        function=_steering_errors,
        needs=("dials", "dial_points"),
        part="orthogonality",
    ),
)
