"""Quality at equal drift: hypervolume of the points within a given KL of the start model."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from paretosteer import metrics
from paretosteer.metrics.input_checks import FloatArray
from paretosteer.report.analysis.tables import Row

_STEPS = 24  # number of thresholds: quantiles of the KL of the table's points
_MOVED = 1e-6  # nats; points with less KL equal the start model


@dataclass(frozen=True)
class EqualDrift:
    """Hypervolumes of the points below common thresholds of KL."""

    thresholds: FloatArray  # (t,), nats per sample, ascending
    middle: float  # threshold with half of the points that moved below it
    volumes: Mapping[str, FloatArray]  # (t,) by row, means over replicates; NaN without a point
    at_middle: Mapping[str, float]  # by row, for rows with a point below `middle`


def equal_drift(rows: Sequence[Row], reference: Sequence[float], exact: bool) -> EqualDrift | None:
    """Measure the rows that have a KL in every replicate; None if no point has moved.

    `exact` says whether hypervolumes of the table are exact.
    """
    with_kl = [row for row in rows if all("kl" in each.drift for each in row.replicates)]
    drifts = np.array([kl for row in with_kl for each in row.replicates for kl in each.drift["kl"]])
    moved = drifts[drifts > _MOVED]
    if not len(moved):
        return None
    # `nextafter`, so that a point exactly at a quantile is below the threshold.
    middle = float(np.nextafter(np.median(moved), np.inf))
    shares = np.arange(1, _STEPS + 1) / _STEPS
    thresholds = np.unique([*np.nextafter(np.quantile(moved, shares), np.inf), middle])
    volumes = {row.label: _volumes(row, thresholds, reference, exact) for row in with_kl}
    index = int(np.searchsorted(thresholds, middle))
    at_middle = {
        label: float(values[index])
        for label, values in volumes.items()
        if np.isfinite(values[index])
    }
    return EqualDrift(thresholds, middle, volumes, at_middle)


def _volumes(
    row: Row, thresholds: FloatArray, reference: Sequence[float], exact: bool
) -> FloatArray:
    """Means over replicates, (t,); NaN where no replicate has a point."""
    by_replicate = [
        metrics.quality_at_equal_drift(
            replicate.scores.mean(axis=1), replicate.drift["kl"], thresholds, reference, exact
        )
        for replicate in row.replicates
    ]
    nearest = min(replicate.drift["kl"].min() for replicate in row.replicates)
    means: FloatArray = np.where(thresholds > nearest, np.mean(by_replicate, axis=0), np.nan)
    return means
