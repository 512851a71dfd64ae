"""Built-in metrics of the leaderboard, in the order of its columns.

Every family of metrics is one file, which declares and computes them; heavy imports are delayed to
their first use.
"""

from paretosteer.metrics.leaderboard import (
    auxiliary,
    controllability,
    dpo_loss,
    hypervolume,
    kl_drift,
    other_rows,
    own_front,
    raw_units,
    regret,
    responses,
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
    *raw_units.METRICS,
    *auxiliary.METRICS,
    *dpo_loss.METRICS,
    *responses.METRICS,
)


def row_metrics() -> tuple[RowMetric, ...]:
    """Built-in metrics, as `metrics.measure` takes them."""
    return ROW_METRICS
