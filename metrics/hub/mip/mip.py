"""`evaluate` module for `paretosteer.metrics.inner_product`."""

from collections.abc import Sequence

from paretosteer.metrics import evaluate_metric
from paretosteer.metrics.input_checks import MetricError, as_finite, as_points
from paretosteer.metrics.utility import inner_product


class MIP(evaluate_metric.PreferenceMetric):
    """Mean inner product of preferences and points: mean utility of the points offered."""

    notes = """
bounds: lowest and highest value of each objective (2, m); if given, points are measured as shares
of them. Without, in the units of the points. Higher is better.
"""

    def _compute(
        self,
        predictions: list[list[float]],
        references: list[list[float]],
        bounds: Sequence[Sequence[float]] | None = None,
    ) -> dict[str, float]:
        points = as_points(predictions)
        if bounds is not None:
            low, high = as_finite(bounds, "bounds")
            if not (high > low).all():
                raise MetricError("bounds: a highest value is not above its lowest; exchange them")
            points = (points - low) / (high - low)
        return {"mip": float(inner_product(references, points))}
