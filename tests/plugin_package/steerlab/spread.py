"""Spread: how far the points reach in each objective, on average."""

import numpy as np

from paretosteer.metrics import RowMetric


def spread(points, preferences, reference):
    """Mean over objectives of the largest minus the least value of points (k, m)."""
    return np.ptp(points, axis=0).mean()


SPREAD = RowMetric("spread", "up", "mean range of the objectives", version="4", function=spread)
