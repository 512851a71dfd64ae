"""The metrics by name, for listings: what each says, which way is better, its version.

Imports nothing heavy. A change of a metric's definition changes its version.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    from paretosteer.metrics.input_checks import FloatArray


@dataclass(frozen=True)
class Metric:
    """One line of the catalogue; metrics whose direction is "shown" are never ranked on."""

    name: str
    direction: Literal["up", "down", "shown"]
    summary: str
    version: str = "1"


@dataclass(frozen=True, kw_only=True)
class PointMetric(Metric):
    """A metric of a plug-in, measured row by row.

    `function` gives a number for points (k, m), their preferences (k, m) and the reference (m,).
    """

    function: Callable[[FloatArray, FloatArray, FloatArray], float]


METRICS: dict[str, Metric] = {
    metric.name: metric
    for metric in (
        Metric("hypervolume", "up", "volume dominated above the reference point (main)"),
        Metric("hypervolume_ratio", "up", "hypervolume over the oracle's or the union front's"),
        Metric("utility_loss", "down", "best utility on the oracle or union front minus own"),
        Metric("expected_utility", "up", "mean over preferences of the best own utility (EUM)"),
        Metric("steering_regret", "down", "EUM minus the utility of the points offered"),
        Metric("controllability", "up", "Somers' D of objectives on their weights (main)"),
        Metric("order_agreement", "up", "share of pairs in the order asked for, (D + 1) / 2"),
        Metric("spearman", "up", "rank correlation of objectives with their weights"),
        Metric("kendall_tau_b", "up", "Kendall's tau-b of objectives with their weights"),
        Metric("monotonicity", "down", "falls along lattice edges: their number, the largest"),
        Metric("steering_range", "up", "objective at its own vertex minus its least elsewhere"),
        Metric("entanglement", "shown", "slopes of every objective on every weight"),
        Metric("cross_angle", "down", "angle between preference and outcome, degrees"),
        Metric("inner_product", "up", "mean utility of the points offered"),
        Metric("coverage", "shown", "share of B's points weakly dominated by A's"),
        Metric("dominance_at_equal_preference", "shown", "share of preferences where A dominates"),
        Metric("dominated_by", "down", "rows that dominate this one at most preferences"),
        Metric("contribution", "up", "what the union front loses without this method"),
        Metric("front_size", "up", "own nondominated points"),
        Metric("igd_plus", "down", "distance to the oracle's or union front (IGD+)"),
        Metric("additive_epsilon", "down", "shift that covers the oracle's or union front"),
        Metric("sparsity", "shown", "mean squared gap between neighbours on the front"),
        Metric("spacing", "shown", "spread of nearest-neighbour distances on the front"),
        Metric("quality_at_equal_drift", "up", "hypervolume of points below common KL thresholds"),
        Metric("distinct_n", "shown", "share of distinct n-grams in the samples"),
        Metric("oracle_regret", "down", "regret in regularised value: 0 optimal, 1 untrained"),
        Metric("probability_better", "up", "share of paired resamples in which a method is ahead"),
        Metric("ranks", "down", "place in a table, with an interval over paired resamples"),
        Metric("attainment_surface", "shown", "what a share of the replicates attains"),
    )
}
