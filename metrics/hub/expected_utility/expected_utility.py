"""`evaluate` module for `paretosteer.metrics.expected_utility`."""

from paretosteer.metrics import evaluate_metric
from paretosteer.metrics.utility import expected_utility


class ExpectedUtility(evaluate_metric.PreferenceMetric):
    """Mean over preferences of the best utility among the points (EUM)."""

    source = "Zintgraf et al. 2015, Quality assessment of MORL algorithms"
    notes = "Higher is better."

    def _compute(
        self, predictions: list[list[float]], references: list[list[float]]
    ) -> dict[str, float]:
        return {"expected_utility": float(expected_utility(references, predictions))}
