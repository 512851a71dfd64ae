"""Preferences that a table of the page shows side by side."""

from itertools import combinations

import numpy as np

from paretosteer.metrics.input_checks import FloatArray
from paretosteer.report.analysis.oracle import Places

_MOST = 12  # columns that can be read side by side


def readable(preferences: FloatArray) -> Places:
    """Places of preferences (n, m) to show: all, or the nearest to a few landmarks."""
    if len(preferences) <= _MOST:
        return np.arange(len(preferences))
    apart = np.abs(preferences[:, None] - _landmarks(preferences.shape[1])).sum(axis=2)
    return np.unique(apart.argmin(axis=0))


def _landmarks(m: int) -> FloatArray:
    """Ten steps from one objective to the other; of more, vertices, middles of edges, centre."""
    if m == 2:
        first = np.linspace(0, 1, 11)
        return np.stack([first, 1 - first], axis=1)
    vertices = np.eye(m)
    middles = [(vertices[i] + vertices[j]) / 2 for i, j in combinations(range(m), 2)]
    edges = middles if m + len(middles) < _MOST else []
    return np.array([*vertices, *edges, np.full(m, 1 / m)])
