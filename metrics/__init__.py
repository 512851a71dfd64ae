"""Metrics of controllable multi-objective generation: pure functions of points and preferences.

Points are (k, m), higher is better, row l the outcome at preference l. The modules behind this
flat list are imported when a name is first used, so the catalogue alone costs milliseconds.
"""

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from paretosteer.metrics.attainment import attainment_surface
    from paretosteer.metrics.catalogue import METRICS, Metric, PointMetric
    from paretosteer.metrics.comparison import (
        holm,
        rank_intervals,
        ranks,
        reflected_p,
        tie_groups,
    )
    from paretosteer.metrics.dominance import coverage, dominance_at_equal_preference, dominated_by
    from paretosteer.metrics.drift import distinct_n, quality_at_equal_drift
    from paretosteer.metrics.fronts import (
        additive_epsilon,
        front_size,
        igd_plus,
        nondominated,
        points_outside,
        spacing,
        sparsity,
    )
    from paretosteer.metrics.input_checks import (
        MetricError,
        as_points,
        as_preferences,
        as_reference,
    )
    from paretosteer.metrics.normalise import Normaliser
    from paretosteer.metrics.rays import Volume, monte_carlo_hypervolume
    from paretosteer.metrics.statistics import (
        LEVEL,
        Interval,
        nested_means,
        percentile_interval,
        probability_better,
        reflected_interval,
        resample_counts,
        resampled_means,
        resampled_shares,
        symmetric_interval,
    )
    from paretosteer.metrics.steering import (
        Monotonicity,
        controllability,
        cross_angle,
        entanglement,
        kendall_tau_b,
        monotonicity,
        order_agreement,
        somers_d,
        spearman,
        steering_range,
    )
    from paretosteer.metrics.utility import (
        UtilityLoss,
        expected_utility,
        inner_product,
        oracle_regret,
        steering_regret,
        utility_loss,
    )
    from paretosteer.metrics.volume import (
        Contribution,
        contribution,
        hypervolume,
        hypervolume_many,
        hypervolume_ratio,
        hypervolume_with_error,
    )

__all__ = [
    "LEVEL",
    "METRICS",
    "Contribution",
    "Interval",
    "Metric",
    "MetricError",
    "Monotonicity",
    "Normaliser",
    "PointMetric",
    "UtilityLoss",
    "Volume",
    "additive_epsilon",
    "as_points",
    "as_preferences",
    "as_reference",
    "attainment_surface",
    "contribution",
    "controllability",
    "coverage",
    "cross_angle",
    "distinct_n",
    "dominance_at_equal_preference",
    "dominated_by",
    "entanglement",
    "expected_utility",
    "front_size",
    "holm",
    "hypervolume",
    "hypervolume_many",
    "hypervolume_ratio",
    "hypervolume_with_error",
    "igd_plus",
    "inner_product",
    "kendall_tau_b",
    "monotonicity",
    "monte_carlo_hypervolume",
    "nested_means",
    "nondominated",
    "oracle_regret",
    "order_agreement",
    "percentile_interval",
    "points_outside",
    "probability_better",
    "quality_at_equal_drift",
    "rank_intervals",
    "ranks",
    "reflected_interval",
    "reflected_p",
    "resample_counts",
    "resampled_means",
    "resampled_shares",
    "somers_d",
    "spacing",
    "sparsity",
    "spearman",
    "steering_range",
    "steering_regret",
    "symmetric_interval",
    "tie_groups",
    "utility_loss",
]

_MODULES = (
    "attainment",
    "catalogue",
    "comparison",
    "dominance",
    "drift",
    "input_checks",
    "fronts",
    "normalise",
    "rays",
    "statistics",
    "steering",
    "utility",
    "volume",
)

if not TYPE_CHECKING:  # so that type checkers still see a misspelt name

    def __getattr__(name: str) -> object:
        if name in __all__:
            for module in _MODULES:
                found = import_module(f"{__name__}.{module}")
                if hasattr(found, name):
                    globals()[name] = getattr(found, name)  # asked for once
                    return globals()[name]
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
