"""`evaluate` module for `paretosteer.metrics.controllability`."""

from paretosteer.metrics import evaluate_metric
from paretosteer.metrics.steering import somers_d


class Controllability(evaluate_metric.PreferenceMetric):
    """Somers' D of each objective on its own weight, and the mean over objectives."""

    source = "Somers 1962, A new asymmetric measure of association for ordinal variables"
    notes = "Higher is better, from -1 to 1."

    def _compute(
        self, predictions: list[list[float]], references: list[list[float]]
    ) -> dict[str, float | list[float]]:
        per_objective = somers_d(references, predictions)
        return {
            "controllability": float(per_objective.mean()),
            "somers_d": per_objective.tolist(),
        }
