"""Regret at a preference: against the method's own best point, and against the optimum."""

from __future__ import annotations

from math import inf
from typing import TYPE_CHECKING, Any

from paretosteer import metrics
from paretosteer.metrics.row_metric import RowMetric

if TYPE_CHECKING:
    from paretosteer.metrics.input_checks import FloatArray


def _oracle_regret(
    points: FloatArray, preferences: FloatArray, optimum: metrics.Optimum, learnable: Any
) -> float | None:
    if not len(learnable):
        return None
    return float(metrics.regrets(points, preferences, optimum, learnable).mean())


METRICS = (
    RowMetric(
        "steering_regret",
        "shown",
        "utility lost to better own points, cross-fitted",
        title="Steering regret",
        meaning="Average utility, in standard units, that a user loses because another of the "
        "method's own points suits their preference better than the one it offers. It is also 0 "
        "for a method that never moves, so no method is ranked on it alone. The better points are "
        "chosen on one half of the prompts and measured on the other, so noise cannot inflate the "
        "regret. A true regret is at least 0; where noise leads to a wrong choice, the estimate is "
        "too small and may be negative. The interval allows for this.",
        format="z.3f",
        interval="cross_fit",
        version="2",
        interval_shown=False,
        bounds=(0.0, inf),
        place=8,
        terminal=6,
        tracked=True,
        function=lambda preferences, scores: metrics.cross_fitted_regret(preferences, scores),
        needs=("preferences", "scores"),
    ),
    RowMetric(
        "oracle_regret",
        "down",
        "regret in regularised value: 0 optimal, 1 untrained",
        title="Oracle regret",
        meaning="Share of the possible gain at a preference that the method misses, averaged over "
        "preferences: 0 is the optimal policy, 1 the start model.",
        format="z.3f",
        interval="percentile",
        place=6,
        terminal=5,
        sparse=True,
        function=_oracle_regret,
        needs=("points", "preferences", "optimum", "learnable"),
    ),
)
