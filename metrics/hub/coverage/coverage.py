"""`evaluate` module for `paretosteer.metrics.coverage`."""

from collections.abc import Sequence

import datasets
import evaluate

from paretosteer.metrics.dominance import coverage

_INPUTS = """
predictions: points (k, m), one row per point, higher is better.
others: points (n, m) of another method.
"""


class Coverage(evaluate.Metric):  # type: ignore[misc]
    """Share of `others` that some prediction weakly dominates."""

    def _info(self) -> evaluate.MetricInfo:
        return evaluate.MetricInfo(
            description=self.__doc__,
            citation="Zitzler and Thiele 1999, Multiobjective evolutionary algorithms",
            inputs_description=_INPUTS,
            features=datasets.Features(
                {"predictions": datasets.Sequence(datasets.Value("float64"))}
            ),
        )

    def _compute(
        self, predictions: list[list[float]], others: Sequence[Sequence[float]]
    ) -> dict[str, float]:
        return {"coverage": coverage(predictions, others)}
