import re

import numpy as np
import pytest

import paretosteer.metrics as metrics
from paretosteer.metrics import (
    METRICS,
    MetricError,
    RowMetric,
    as_points,
    as_preferences,
    as_reference,
)
from paretosteer.metrics.input_checks import as_batch, as_vector
from paretosteer.metrics.row_metric import OTHER_GRIDS, ROW_INPUTS, ROWS

FUNCTIONS = {name for name, metric in METRICS.items() if not isinstance(metric, RowMetric)}


@pytest.mark.parametrize(
    ("points", "message"),
    [
        ([], r"points: is empty, with shape \(0,\)"),
        (np.empty((0, 3)), r"points: is empty, with shape \(0, 3\)"),
        ([[1, 2], [3]], "points: is ragged, with rows of 1, 2 values; give every row the same"),
        ([[1, "two"]], "points: holds something that is not a number"),
        ([[1, None]], r"points: the value at index \(0, 1\) is nan"),
        ([[1, 2], [-np.inf, 1]], r"points: the value at index \(1, 0\) is -inf"),
        ([1, 2, 3], r"points: has shape \(3,\); give one row per point"),
        ([[1], [2]], "at least two"),
        (np.ones((2, 2, 2)), r"points: has 3 axes; give one set of points, shape \(k, m\)"),
    ],
)
def test_points(points, message):
    with pytest.raises(MetricError, match=message) as caught:
        as_points(points)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("preferences", "message"),
    [
        ([[0.5, 0.5 + 2e-6]], "preferences: row 0 sums to 1.000002; divide each row by its sum"),
        ([[1, 0], [1.2, -0.2]], "preferences: row 1 has the negative weight -0.2"),
        ([[0.5, np.nan]], r"preferences: the value at index \(0, 1\) is nan"),
        ([1.0, 0.0], "preferences: has shape"),
    ],
)
def test_preferences(preferences, message):
    with pytest.raises(MetricError, match=message):
        as_preferences(preferences)


def test_preferences_within_tolerance_pass():
    as_preferences([[0.333333, 0.333333, 0.333333], [1 - 0.9 - 0.1, 0.9, 0.1]])


def test_reference_and_vectors():
    with pytest.raises(MetricError, match=r"reference: has shape \(1,\) for 2 objectives"):
        as_reference([0], 2)
    with pytest.raises(MetricError, match=r"reference: has shape \(\) for 2 objectives"):
        as_reference(-2, 2)
    with pytest.raises(MetricError, match="kl: has shape"):
        as_vector([[1.0]], "kl")


def test_batches_and_integers_pass():
    assert as_batch(np.ones((3, 4, 5, 2))).shape == (3, 4, 5, 2)
    assert as_points([[1, 2]]).dtype == np.float64


def test_it_is_a_value_error():
    assert issubclass(MetricError, ValueError)


def test_the_flat_api_is_whole():
    assert all(hasattr(metrics, name) for name in metrics.__all__)
    assert set(metrics.__all__) >= FUNCTIONS
    with pytest.raises(AttributeError, match="attribute hypervolum"):
        _ = metrics.hypervolum


SECOND_VERSION = {"steering_regret", "front_size"}


def test_the_catalogue_describes_functions():
    for name, metric in METRICS.items():
        assert metric.name == name
        if name in FUNCTIONS:
            assert callable(getattr(metrics, name))
        elif metric.function:
            assert set(metric.needs) <= {*ROW_INPUTS, ROWS, OTHER_GRIDS}
        assert metric.direction in {"up", "down", "shown"}
        assert metric.version == ("2" if name in SECOND_VERSION else "1")
        assert 0 < len(metric.summary) <= 60
        described = getattr(metrics, name, None)
        arrow = {"up": "↑", "down": "↓", "shown": ""}[metric.direction]
        if described and name not in {"probability_better", "ranks"}:  # not figures of one row
            assert "".join(re.findall("[↑↓]", described.__doc__)) == arrow, name
