"""My metric has the value that its definition gives."""

import numpy as np

from my_metric import METRIC


def test_a_known_value() -> None:
    points = np.array([[3.0, 0.0], [1.0, 1.0], [0.0, 2.0]])
    preferences = np.array([[1.0, 0.0], [0.5, 0.5], [0.0, 1.0]])
    assert METRIC.function is not None
    assert METRIC.function(points, preferences, np.array([-1.0, -1.0])) == 2.5
