import numpy as np
import pytest
from hypothesis import assume, given
from metric_inputs import point_sets

from paretosteer.metrics import MetricError, Normaliser


@given(point_sets())
def test_the_start_model_has_mean_zero_and_unit_spread(scores):
    assume((np.ptp(scores, axis=0) > 1e-3).all())
    z = Normaliser.fit(scores).apply(scores)
    np.testing.assert_allclose(z.mean(axis=0), 0, atol=1e-9)
    np.testing.assert_allclose(z.std(axis=0), 1, atol=1e-9)


def test_any_shape_and_equality():
    normaliser = Normaliser.fit([[0, 10], [2, 30]])
    assert normaliser == Normaliser(mean=(1.0, 20.0), std=(1.0, 10.0))
    np.testing.assert_allclose(normaliser.apply(np.full((2, 3, 2), 10.0))[1, 2], [9, -1])


def test_an_objective_that_does_not_vary_is_named():
    scores = [[0, 0.1], [1, 0.1]]
    with pytest.raises(MetricError, match=r"scores: objective 'length' is 0\.1 in all 2 rows"):
        Normaliser.fit(scores, ["sentiment", "length"])
    with pytest.raises(MetricError, match="scores: objective 1 is"):
        Normaliser.fit(scores)
    rounding = [[0, 1.0], [1, 1.0 - 2e-16]]  # sums in two orders
    with pytest.raises(MetricError, match="scores: objective 1 is"):
        Normaliser.fit(rounding)


def test_bad_input():
    with pytest.raises(MetricError, match="give one row per sample"):
        Normaliser.fit([1, 2])
    with pytest.raises(MetricError, match="for 2 objectives"):
        Normaliser((0.0, 0.0), (1.0, 1.0)).apply([[1, 2, 3]])
