"""`evaluate` module for `paretosteer.metrics.coverage`."""

from collections.abc import Sequence

from paretosteer.metrics import evaluate_metric
from paretosteer.metrics.dominance import coverage


class Coverage(evaluate_metric.PointMetric):
    """Share of `others` that some prediction weakly dominates."""

    source = "Zitzler and Thiele 1999, Multiobjective evolutionary algorithms"
    notes = "others: points (n, m) of another method."

    def _compute(
        self, predictions: list[list[float]], others: Sequence[Sequence[float]]
    ) -> dict[str, float]:
        return {"coverage": coverage(predictions, others)}
