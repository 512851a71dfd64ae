"""My metric: a column of the leaderboard.

A metric is a function of a method's points. Change the function, and what the
declaration below says of it: it becomes a column of tables, terminal, page and trackers.
"""

from __future__ import annotations

import numpy as np
from paretosteer.metrics import RowMetric


def my_metric(
    points: np.ndarray,
    preferences: np.ndarray,
    reference: np.ndarray,
) -> float:
    """Mean over objectives of the largest minus the smallest value.

    Points and preferences are (k, m), row by row; the reference point is (m,).
    """
    return float(np.ptp(points, axis=0).mean())


METRIC = RowMetric(
    "my_metric",
    "up",  # or "down"; "shown" if rows are never ranked by it
    "mean range of the objectives",
    title="My metric",
    format=".2f",
    version="1",  # raise it when the definition changes
    function=my_metric,
)

# Read by `--plugin`; an installed package declares entry points in its pyproject.toml instead.
paretosteer_plugins = {"metrics": {"my_metric": METRIC}}
