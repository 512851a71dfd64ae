"""The built-in metrics of the leaderboard, in the order of its columns.

A metric is declared in the file of its family, beside what it computes; heavy imports wait for its
first use. A new family is one more file here.
"""

from paretosteer.metrics.leaderboard import (
    controllability,
    hypervolume,
    kl_drift,
    other_rows,
    own_front,
    regret,
    user_utility,
)
from paretosteer.metrics.row_metric import RowMetric

ROW_METRICS: tuple[RowMetric, ...] = (
    *own_front.METRICS,
    *hypervolume.METRICS,
    *controllability.METRICS,
    *regret.METRICS,
    *user_utility.METRICS,
    *other_rows.METRICS,
    *kl_drift.METRICS,
)


def row_metrics() -> tuple[RowMetric, ...]:
    """The built-in metrics, as `metrics.measure` takes them."""
    return ROW_METRICS
