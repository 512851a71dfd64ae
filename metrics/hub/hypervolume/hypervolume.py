"""`evaluate` module for `paretosteer.metrics.hypervolume`."""

from collections.abc import Sequence

import datasets
import evaluate

from paretosteer.metrics.fronts import points_outside
from paretosteer.metrics.volume import hypervolume_with_error

_INPUTS = """
predictions: points (k, m), one row per point, higher is better.
reference: the reference point (m,). Higher is better.
"""


class Hypervolume(evaluate.Metric):  # type: ignore[misc]
    """Volume of objective space dominated above a reference point."""

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
        self, predictions: list[list[float]], reference: Sequence[float]
    ) -> dict[str, float | int | bool]:
        volume = hypervolume_with_error(predictions, reference)
        return {
            "hypervolume": volume.value,
            "error": volume.error,
            "exact": volume.exact,
            "points_outside": points_outside(predictions, reference),
        }
