"""`evaluate` module for `paretosteer.metrics.steering_regret`."""

import datasets
import evaluate

from paretosteer.metrics.utility import steering_regret

_INPUTS = """
predictions: points (k, m), one row per point, higher is better.
references: preferences (k, m), row l being the one that row l of the points answers.
Lower is better; 0 for a method that never moves.
"""


class SteeringRegret(evaluate.Metric):  # type: ignore[misc]
    """Expected utility minus the mean utility of the points offered."""

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
        self, predictions: list[list[float]], references: list[list[float]]
    ) -> dict[str, float]:
        return {"steering_regret": float(steering_regret(references, predictions))}
