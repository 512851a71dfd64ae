"""`evaluate` module for `paretosteer.metrics.controllability`."""

import datasets
import evaluate

from paretosteer.metrics.steering import somers_d

_INPUTS = """
predictions: points (k, m), one row per point, higher is better.
references: preferences (k, m), row l being the one that row l of the points answers.
Higher is better, from -1 to 1.
"""


class Controllability(evaluate.Metric):  # type: ignore[misc]
    """Somers' D of each objective on its own weight, and the mean over objectives."""

    def _info(self) -> evaluate.MetricInfo:
        return evaluate.MetricInfo(
            description=self.__doc__,
            citation="Somers 1962, A new asymmetric measure of association for ordinal variables",
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
    ) -> dict[str, float | list[float]]:
        per_objective = somers_d(references, predictions)
        return {
            "controllability": float(per_objective.mean()),
            "somers_d": per_objective.tolist(),
        }
