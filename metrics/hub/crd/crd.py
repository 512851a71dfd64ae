"""`evaluate` module for `paretosteer.metrics.conditional_dispersion`."""

import numpy as np

from paretosteer.metrics import evaluate_metric
from paretosteer.metrics.dispersion import dispersion_of
from paretosteer.metrics.input_checks import MetricError, as_points, as_preferences
from paretosteer.metrics.weight_rounding import round_weights


class CRD(evaluate_metric.PointMetric):
    """Mean over preferences of the determinant of the covariance of the responses' scores."""

    inputs = (
        "predictions: scores of single responses (n, m).",
        "references: preferences (n, m), row l being the one that response l answers.",
    )
    notes = "At least two responses to each preference. Lower is better."

    def _compute(
        self, predictions: list[list[float]], references: list[list[float]]
    ) -> dict[str, float]:
        scores, asked = as_points(predictions), as_preferences(references)
        _, place = np.unique(round_weights(asked), axis=0, return_inverse=True)
        counts = np.bincount(place.ravel())
        if len(scores) != len(asked) or counts.min() < 2:
            raise MetricError(
                "references: a preference has fewer than two responses; give more of each"
            )
        groups = [scores[place.ravel() == each] for each in range(len(counts))]
        return {"crd": dispersion_of([np.cov(own.T) for own in groups])}
