"""`evaluate` module for `paretosteer.metrics.expected_utility`."""

import datasets
import evaluate

from paretosteer.metrics.utility import expected_utility

_INPUTS = """
predictions: points (k, m), one row per point, higher is better.
references: preferences (k, m), row l being the one that row l of the points answers.
Higher is better.
"""


class ExpectedUtility(evaluate.Metric):  # type: ignore[misc]
    """Mean over preferences of the best utility among the points (EUM)."""

    def _info(self) -> evaluate.MetricInfo:
        return evaluate.MetricInfo(
            description=self.__doc__,
            citation="Zintgraf et al. 2015, Quality assessment of MORL algorithms",
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
        return {"expected_utility": float(expected_utility(references, predictions))}
