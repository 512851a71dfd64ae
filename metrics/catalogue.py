"""Catalogue of the metrics by name: summary, better direction, version.

Imports nothing heavy. A change of a metric's definition changes its version.
"""

from __future__ import annotations

from dataclasses import dataclass

from paretosteer.metrics.leaderboard import ROW_METRICS
from paretosteer.metrics.row_metric import Direction, RowMetric


@dataclass(frozen=True)
class Metric:
    """A function of this package that is not a column of the leaderboard."""

    name: str
    direction: Direction
    summary: str
    version: str = "1"


_FUNCTIONS = (
    Metric("monotonicity", "down", "falls along lattice edges: their number, the largest"),
    Metric("steering_range", "up", "objective at its own vertex minus its least elsewhere"),
    Metric("entanglement", "shown", "slopes of every objective on every weight"),
    Metric("cross_angle", "down", "angle between preference and outcome, degrees"),
    Metric("steering_errors", "down", "miscalibration and orthogonality of turns of a dial"),
    Metric("conditional_dispersion", "down", "det of the responses' covariance at a preference"),
    Metric("pair_order", "shown", "shares of pairs confirmed, contradicted, undecided"),
    Metric("inner_product", "up", "mean utility of the points offered"),
    Metric("coverage", "shown", "share of B's points weakly dominated by A's"),
    Metric("dominance_at_equal_preference", "shown", "share of preferences where A dominates"),
    Metric("sparsity", "shown", "mean squared gap between neighbours on the front"),
    Metric("spacing", "shown", "spread of nearest-neighbour distances on the front"),
    Metric("quality_at_equal_drift", "up", "hypervolume of points below common KL thresholds"),
    Metric("distinct_n", "shown", "share of distinct n-grams in the samples"),
    Metric("probability_better", "up", "share of paired resamples in which a method is ahead"),
    Metric("ranks", "down", "place in a table, with an interval over paired resamples"),
    Metric("attainment_surface", "shown", "region that a share of the replicates attains"),
)

_EVERY: tuple[RowMetric | Metric, ...] = (*ROW_METRICS, *_FUNCTIONS)

METRICS = {metric.name: metric for metric in _EVERY}
