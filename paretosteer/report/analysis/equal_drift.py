"""Quality at equal drift: what of a hypervolume lies within so many nats of the start model."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from paretosteer import metrics
from paretosteer.metrics.input_checks import FloatArray
from paretosteer.report.analysis.tables import Row

_STEPS = 24  # thresholds, each with as many more of the table's points below it
_MOVED = 1e-6  # nats; points nearer than this are the start model's own


@dataclass(frozen=True)
class EqualDrift:
    """Hypervolumes of the points below common thresholds of KL.

    `thresholds` (t,) in nats per sample, ascending; `middle` the one below which half of the
    points lie that moved at all; `volumes` (t,) by row, means over replicates, NaN where a row has
    no point; `at_middle` by row that has one.
    """

    thresholds: FloatArray
    middle: float
    volumes: Mapping[str, FloatArray]
    at_middle: Mapping[str, float]


def equal_drift(rows: Sequence[Row], reference: Sequence[float]) -> EqualDrift | None:
    """Measure the rows whose KL is known in every replicate; None where none has moved."""
    known = [row for row in rows if all("kl" in each.drift for each in row.replicates)]
    drifts = np.array([kl for row in known for each in row.replicates for kl in each.drift["kl"]])
    moved = drifts[drifts > _MOVED]
    if not len(moved):
        return None
    # The next number up: the point that a quantile falls on is below it.
    middle = float(np.nextafter(np.median(moved), np.inf))
    shares = np.arange(1, _STEPS + 1) / _STEPS
    thresholds = np.unique([*np.nextafter(np.quantile(moved, shares), np.inf), middle])
    volumes = {row.label: _volumes(row, thresholds, reference) for row in known}
    place = int(np.searchsorted(thresholds, middle))
    at_middle = {
        label: float(each[place]) for label, each in volumes.items() if np.isfinite(each[place])
    }
    return EqualDrift(thresholds, middle, volumes, at_middle)


def _volumes(row: Row, thresholds: FloatArray, reference: Sequence[float]) -> FloatArray:
    """Means over replicates, (t,); NaN where none of them has a point."""
    each = [
        metrics.quality_at_equal_drift(
            replicate.scores.mean(axis=1), replicate.drift["kl"], thresholds, reference
        )
        for replicate in row.replicates
    ]
    nearest = min(replicate.drift["kl"].min() for replicate in row.replicates)
    means: FloatArray = np.where(thresholds > nearest, np.mean(each, axis=0), np.nan)
    return means
