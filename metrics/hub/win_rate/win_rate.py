"""`evaluate` module for `paretosteer.metrics.win_rate`."""

import numpy as np

from paretosteer.metrics import evaluate_metric
from paretosteer.metrics.input_checks import as_points
from paretosteer.metrics.win_rate import win_rate


class WinRate(evaluate_metric.PreferenceMetric):
    """Share of answers whose utility exceeds that of another method's to the same question."""

    inputs = (
        "predictions: scores of one method's answers (n, m).",
        "references: preferences (n, m), row l being the one that answer l was asked with.",
        "others: scores of the other method's answers to the same prompts and preferences (n, m).",
    )
    notes = "Equal utilities do not count as a win. Higher is better."

    def _compute(
        self,
        predictions: list[list[float]],
        references: list[list[float]],
        others: list[list[float]],
    ) -> dict[str, float]:
        own, other = as_points(predictions), as_points(others, "others")
        return {"win_rate": win_rate(references, own[:, np.newaxis], other[:, np.newaxis])}
