import numpy as np
import pytest
from hypothesis import given
from metric_inputs import steered

from paretosteer.metrics import (
    MetricError,
    expected_utility,
    inner_product,
    nondominated,
    oracle_regret,
    steering_regret,
    utility_loss,
)

WEIGHTS = np.array([[1, 0], [0.5, 0.5], [0, 1]])
POINTS = np.array([[2, 0], [1, 1], [4, 1]], dtype=float)


def test_by_hand():
    assert inner_product(WEIGHTS, POINTS) == pytest.approx((2 + 1 + 1) / 3)
    assert expected_utility(WEIGHTS, POINTS) == pytest.approx((4 + 2.5 + 1) / 3)
    assert steering_regret(WEIGHTS, POINTS) == pytest.approx((2 + 1.5 + 0) / 3)
    loss = utility_loss(WEIGHTS, POINTS, [[4, 1], [0, 3]])
    assert loss.mean == pytest.approx((2 + 1.5 + 2) / 3)
    assert loss.maximum == pytest.approx(2)


@given(steered())
def test_regret_is_eum_minus_what_was_offered(case):
    weights, points = case
    regret = steering_regret(weights, points)
    assert regret >= 0
    expected = expected_utility(weights, points) - inner_product(weights, points)
    assert regret == pytest.approx(expected, abs=1e-12)
    assert steering_regret(weights, np.broadcast_to(points[0], points.shape)) == 0


@given(steered())
def test_a_policy_that_never_moves_has_the_mean_preferences_inner_product(case):
    """So in raw units one axis of a large scale decides it, whether or not anything is steered."""
    weights, points = case
    f = points[0]
    found = inner_product(weights, np.broadcast_to(f, points.shape))
    assert found == pytest.approx(np.asarray(weights).mean(axis=0) @ f, rel=1e-14, abs=1e-13)


@given(steered())
def test_loss_against_a_front_that_covers(case):
    weights, points = case
    own = utility_loss(weights, points, points[nondominated(points)])
    # The front is the points' own, so the loss is the steering regret.
    assert own.mean == pytest.approx(steering_regret(weights, points), abs=1e-12)
    union = utility_loss(weights, points, np.concatenate([points, points + 0.5]))
    assert 0 <= own.mean <= union.mean <= union.maximum


@given(steered())
def test_batches_are_one_at_a_time(case):
    weights, points = case
    batch = np.stack([points, -points])
    for metric in (expected_utility, steering_regret, inner_product):
        np.testing.assert_allclose(
            metric(weights, batch), [metric(weights, one) for one in batch], atol=1e-12
        )
    for front in (points, batch):
        loss = utility_loss(weights, batch, front)
        each = front if front.ndim == 3 else [front, front]
        expected = [utility_loss(weights, p, f) for p, f in zip(batch, each, strict=True)]
        np.testing.assert_allclose(np.transpose(loss), expected, atol=1e-12)


def test_expected_utility_at_other_preferences():
    assert expected_utility([[0.25, 0.75]], POINTS) == pytest.approx(0.25 * 4 + 0.75)


def test_oracle_regret():
    best, start = [2.0, 3.0], [0.0, 1.0]
    assert oracle_regret(best, best, start) == 0
    assert oracle_regret(start, best, start) == 1
    assert oracle_regret([1.0, 3.0], best, start) == pytest.approx(0.25)
    np.testing.assert_allclose(oracle_regret([best, start], best, start), [0, 1])
    with pytest.raises(MetricError, match="oracle: at preference 1 it is 1, not above"):
        oracle_regret([1, 1], [2, 1], [0, 1])
    with pytest.raises(MetricError, match="give one value per preference"):
        oracle_regret([1, 1, 1], [2, 1], [0, 1])


def test_bad_input():
    with pytest.raises(MetricError, match="front: has 3 objectives where the preferences have 2"):
        utility_loss(WEIGHTS, POINTS, [[1, 2, 3]])
    with pytest.raises(MetricError, match=r"points: have shape \(2, 2\)"):
        steering_regret(WEIGHTS, POINTS[:2])
    with pytest.raises(MetricError, match="preferences: row 0 sums to 2"):
        expected_utility([[1, 1]], POINTS)
