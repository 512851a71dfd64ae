"""Base classes of the modules in `hub/`, which the `evaluate` library loads by their path."""

from typing import ClassVar

import datasets
import evaluate


class PointMetric(evaluate.Metric):  # type: ignore[misc]
    """Metric of points; a subclass describes itself in these attributes and defines `_compute`."""

    source: ClassVar[str] = ""
    inputs: ClassVar[tuple[str, ...]] = (
        "predictions: points (k, m), one row per point, higher is better.",
    )
    notes: ClassVar[str] = ""  # further arguments, and which direction is better

    def _info(self) -> evaluate.MetricInfo:
        row = datasets.Sequence(datasets.Value("float64"))
        return evaluate.MetricInfo(
            description=self.__doc__,
            citation=self.source,
            inputs_description="\n".join(["", *self.inputs, self.notes, ""]),
            features=datasets.Features({each.partition(":")[0]: row for each in self.inputs}),
        )


class PreferenceMetric(PointMetric):
    """Metric of points and of the preferences that they answer."""

    inputs = (
        *PointMetric.inputs,
        "references: preferences (k, m), row l being the one that row l of the points answers.",
    )
