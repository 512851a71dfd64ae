"""Quality at equal drift: hypervolume of the points within a given KL of the start model."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import ArrayLike

from paretosteer import metrics
from paretosteer.metrics.input_checks import FloatArray
from paretosteer.report.analysis.bootstrap import Draws, Gap, Volumes, volumes
from paretosteer.report.analysis.tables import Row

_STEPS = 24  # number of thresholds: quantiles of the KL of the table's points
_MOVED = 1e-6  # nats; points with less KL equal the start model


@dataclass(frozen=True)
class EqualDrift:
    """Hypervolumes of the points below common thresholds of KL."""

    thresholds: FloatArray  # (t,), nats per sample, ascending
    middle: float  # threshold with half of the competing points that moved below it
    volumes: Mapping[str, FloatArray]  # (t,) by row, means over replicates; NaN if one has no point
    at_middle: Mapping[str, float]  # by row, where every replicate has a point below `middle`


@dataclass(frozen=True)
class DriftLead:
    """A row that is best at equal drift, beside the one that is best of all."""

    leader: Row
    first: Row
    gap: Gap | None  # of their hypervolumes there; None where a replicate of `first` has no point


def equal_drift(rows: Sequence[Row], reference: Sequence[float], exact: bool) -> EqualDrift | None:
    """Measure the rows that have a KL in every replicate; None if no point has moved.

    `exact` says whether hypervolumes of the table are exact.
    """
    with_kl = [row for row in rows if all("kl" in each.drift for each in row.replicates)]
    changed = [row for row in with_kl if not row.is_start]
    competing = _moved([row for row in changed if not row.exempt])
    moved = _moved(changed)
    if not len(moved):
        return None
    # `nextafter`, so that a point exactly at a threshold is below it.
    middle = float(np.nextafter(np.median(competing if len(competing) else moved), np.inf))
    shares = np.arange(1, _STEPS + 1) / _STEPS
    nearest = [_nearest(row) for row in with_kl]  # where each curve begins
    thresholds = np.unique([*np.nextafter([*np.quantile(moved, shares), *nearest], np.inf), middle])
    by_row = {row.label: _volumes(row, thresholds, reference, exact) for row in with_kl}
    index = int(np.searchsorted(thresholds, middle))
    there = {label: float(values[index]) for label, values in by_row.items()}
    at_middle = {label: value for label, value in there.items() if np.isfinite(value)}
    return EqualDrift(thresholds, middle, by_row, at_middle)


def near_volumes(
    row: Row,
    points: FloatArray,
    draws: Draws,
    reference: ArrayLike,
    exact: bool | None,
    limit: float,
) -> Volumes:
    """Hypervolumes of a row's points (replicates, k, m) with a KL below a limit, and resamples."""
    outside = np.stack([each.drift["kl"] >= limit for each in row.replicates])  # (replicates, k)
    # At the reference, a point has no volume.
    near = np.where(outside[..., None], reference, points)
    drawn = np.where(outside[:, None, :, None], reference, draws.points)
    return volumes(near, replace(draws, points=drawn), reference, exact)


def empty_replicates(row: Row, limit: float) -> int:
    """Number of replicates without a point below a limit."""
    return sum(bool((each.drift["kl"] >= limit).all()) for each in row.replicates)


def _moved(rows: Sequence[Row]) -> FloatArray:
    """KL of all points that moved."""
    drifts = np.array([kl for row in rows for each in row.replicates for kl in each.drift["kl"]])
    return drifts[drifts > _MOVED]


def _nearest(row: Row) -> float:
    """Smallest KL within which every replicate has a point."""
    return max(float(each.drift["kl"].min()) for each in row.replicates)


def _volumes(
    row: Row, thresholds: FloatArray, reference: Sequence[float], exact: bool
) -> FloatArray:
    """Means over replicates, (t,); NaN where a replicate has no point."""
    by_replicate = [
        metrics.quality_at_equal_drift(
            replicate.scores.mean(axis=1), replicate.drift["kl"], thresholds, reference, exact
        )
        for replicate in row.replicates
    ]
    means: FloatArray = np.where(thresholds > _nearest(row), np.mean(by_replicate, axis=0), np.nan)
    return means
