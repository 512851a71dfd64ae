"""`evaluate` module for `paretosteer.metrics.utility_loss`."""

from collections.abc import Sequence

from paretosteer.metrics import evaluate_metric
from paretosteer.metrics.utility import utility_loss


class UtilityLoss(evaluate_metric.PreferenceMetric):
    """Best utility on a front minus that of the point offered: mean and maximum."""

    notes = "front: the oracle's points or the union front (n, m). Lower is better."

    def _compute(
        self,
        predictions: list[list[float]],
        references: list[list[float]],
        front: Sequence[Sequence[float]],
    ) -> dict[str, float]:
        loss = utility_loss(references, predictions, front)
        return {"utility_loss": float(loss.mean), "maximum": float(loss.maximum)}
