"""`evaluate` module for `paretosteer.metrics.entanglement`."""

import datasets
import evaluate

from paretosteer.metrics.steering import entanglement

_INPUTS = """
predictions: points (k, m), one row per point, higher is better.
references: preferences (k, m), row l being the one that row l of the points answers.
Row i, column j: slope of objective j on weight i.
"""


class Entanglement(evaluate.Metric):  # type: ignore[misc]
    """Least-squares slopes, with intercept, of every objective on every weight."""

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
    ) -> dict[str, list[list[float]]]:
        return {"entanglement": entanglement(references, predictions).tolist()}
