"""`evaluate` module for `paretosteer.metrics.steering_regret`."""

from paretosteer.metrics import evaluate_metric
from paretosteer.metrics.utility import steering_regret


class SteeringRegret(evaluate_metric.PreferenceMetric):
    """Expected utility minus the mean utility of the points offered."""

    notes = "Lower is better; 0 for a method that never moves."

    def _compute(
        self, predictions: list[list[float]], references: list[list[float]]
    ) -> dict[str, float]:
        return {"steering_regret": float(steering_regret(references, predictions))}
