"""`evaluate` module for `paretosteer.metrics.igd_plus`."""

from collections.abc import Sequence

from paretosteer.metrics import evaluate_metric
from paretosteer.metrics.fronts import igd_plus


class IGDPlus(evaluate_metric.PointMetric):
    """Mean distance from a front to the region that the predictions dominate (IGD+)."""

    source = "Ishibuchi et al. 2015, Modified distance calculation in GD and IGD"
    notes = "front: the oracle's points or the union front (n, m). Lower is better."

    def _compute(
        self, predictions: list[list[float]], front: Sequence[Sequence[float]]
    ) -> dict[str, float]:
        return {"igd_plus": igd_plus(predictions, front)}
