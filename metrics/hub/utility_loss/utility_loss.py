"""`evaluate` module for `paretosteer.metrics.utility_loss`."""

from collections.abc import Sequence

import datasets
import evaluate

from paretosteer.metrics.utility import utility_loss

_INPUTS = """
predictions: points (k, m), one row per point, higher is better.
references: preferences (k, m), row l being the one that row l of the points answers.
front: the oracle's points or the union front (n, m). Lower is better.
"""


class UtilityLoss(evaluate.Metric):  # type: ignore[misc]
    """Best utility on a front minus that of the point offered: mean and maximum."""

    def _info(self) -> evaluate.MetricInfo:
        return evaluate.MetricInfo(
            description=self.__doc__,
            citation="",
            inputs_description=_INPUTS,
            features=datasets.Features(
                {
                    "predictions": datasets.Sequence(datasets.Value("float64")),
                    "references": datasets.Sequence(datasets.Value("float64")),
                }
            ),
        )

    def _compute(
        self,
        predictions: list[list[float]],
        references: list[list[float]],
        front: Sequence[Sequence[float]],
    ) -> dict[str, float]:
        loss = utility_loss(references, predictions, front)
        return {"utility_loss": float(loss.mean), "maximum": float(loss.maximum)}
