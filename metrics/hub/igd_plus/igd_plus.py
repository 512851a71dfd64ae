"""`evaluate` module for `paretosteer.metrics.igd_plus`."""

from collections.abc import Sequence

import datasets
import evaluate

from paretosteer.metrics.fronts import igd_plus

_INPUTS = """
predictions: points (k, m), one row per point, higher is better.
front: the oracle's points or the union front (n, m). Lower is better.
"""


class IGDPlus(evaluate.Metric):  # type: ignore[misc]
    """Mean distance from a front to the region that the predictions dominate (IGD+)."""

    def _info(self) -> evaluate.MetricInfo:
        return evaluate.MetricInfo(
            description=self.__doc__,
            citation="Ishibuchi et al. 2015, Modified distance calculation in GD and IGD",
            inputs_description=_INPUTS,
            features=datasets.Features(
                {"predictions": datasets.Sequence(datasets.Value("float64"))}
            ),
        )

    def _compute(
        self, predictions: list[list[float]], front: Sequence[Sequence[float]]
    ) -> dict[str, float]:
        return {"igd_plus": igd_plus(predictions, front)}
