"""`evaluate` module for `paretosteer.metrics.hypervolume`."""

from collections.abc import Sequence

from paretosteer.metrics import evaluate_metric
from paretosteer.metrics.fronts import points_outside
from paretosteer.metrics.volume import hypervolume_with_error


class Hypervolume(evaluate_metric.PointMetric):
    """Volume of objective space dominated above a reference point."""

    source = "Zitzler and Thiele 1999, Multiobjective evolutionary algorithms"
    notes = "reference: the reference point (m,). Higher is better."

    def _compute(
        self, predictions: list[list[float]], reference: Sequence[float]
    ) -> dict[str, float | int | bool]:
        volume = hypervolume_with_error(predictions, reference)
        return {
            "hypervolume": volume.value,
            "error": volume.error,
            "exact": volume.exact,
            "points_outside": points_outside(predictions, reference),
        }
