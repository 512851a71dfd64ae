"""`evaluate` module for `paretosteer.metrics.entanglement`."""

from paretosteer.metrics import evaluate_metric
from paretosteer.metrics.steering import entanglement


class Entanglement(evaluate_metric.PreferenceMetric):
    """Least-squares slopes, with intercept, of every objective on every weight."""

    notes = "Row i, column j: slope of objective j on weight i."

    def _compute(
        self, predictions: list[list[float]], references: list[list[float]]
    ) -> dict[str, list[list[float]]]:
        return {"entanglement": entanglement(references, predictions).tolist()}
