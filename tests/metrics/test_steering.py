import numpy as np
import pytest
from hypothesis import given
from metric_inputs import lattice, steered
from scipy import stats

from paretosteer.metrics import (
    MetricError,
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

LINE = lattice(2, 4)  # first weight rising


def pairwise_d(weight, outcome):
    concordant = discordant = pairs = 0
    for k in range(len(weight)):
        for other in range(len(weight)):
            if weight[k] > weight[other]:
                pairs += 1
                concordant += outcome[k] > outcome[other]
                discordant += outcome[k] < outcome[other]
    return (concordant - discordant) / pairs


@given(steered())
def test_somers_d_is_its_definition(case):
    weights, points = case
    expected = [pairwise_d(weights[:, i], points[:, i]) for i in range(weights.shape[1])]
    np.testing.assert_allclose(somers_d(weights, points), expected)
    assert controllability(weights, points) == pytest.approx(np.mean(expected))
    assert order_agreement(weights, points) == pytest.approx((np.mean(expected) + 1) / 2)


@given(steered())
def test_somers_d_is_bounded_and_antisymmetric(case):
    weights, points = case
    d = somers_d(weights, points)
    assert (np.abs(d) <= 1).all()
    np.testing.assert_array_equal(somers_d(weights, -points), -d)
    np.testing.assert_array_equal(somers_d(weights, 2 * points), d)


@pytest.mark.parametrize(("m", "divisions"), [(2, 10), (3, 5), (4, 3), (5, 3)])
def test_perfect_order_is_one_and_a_constant_zero(m, divisions):
    weights = lattice(m, divisions)
    assert controllability(weights, weights) == 1
    assert controllability(weights, -weights) == -1
    assert controllability(weights, np.ones_like(weights)) == 0
    np.testing.assert_array_equal(spearman(weights, np.ones_like(weights)), np.zeros(m))
    np.testing.assert_array_equal(kendall_tau_b(weights, np.ones_like(weights)), np.zeros(m))


def test_ties_in_outcome_count_nothing():
    points = np.array([[0, 0], [0, 0], [0, 0], [1, 0], [1, 0]], dtype=float)
    assert somers_d(LINE, points)[0] == pytest.approx(6 / 10)


def test_weights_equal_but_for_rounding_are_tied():
    weights = np.array([[0.3, 0.7], [0.1 + 0.2, 0.7], [1, 0]])
    assert weights[0, 0] != weights[1, 0]
    assert somers_d(weights, [[2, 0], [1, 0], [3, 0]])[0] == 1


@given(steered())
def test_rank_correlations_are_scipys(case):
    weights, points = case
    for i in range(weights.shape[1]):
        if np.ptp(points[:, i]) == 0:
            expected = (0.0, 0.0)
        else:
            expected = (
                stats.spearmanr(weights[:, i], points[:, i]).statistic,
                stats.kendalltau(weights[:, i], points[:, i]).statistic,
            )
        got = spearman(weights, points)[i], kendall_tau_b(weights, points)[i]
        assert got == pytest.approx(expected, abs=1e-12)


def test_ties_in_weights_cap_tau_b_but_not_d():
    weights = lattice(3, 5)
    points = weights + np.arange(len(weights))[:, None] * 1e-6
    assert controllability(weights, points) == 1
    assert (kendall_tau_b(weights, points) < 0.95).all()


@given(steered())
def test_batches_are_one_at_a_time(case):
    weights, points = case
    batch = np.stack([points, -points, points[::-1]])[None]  # (1, 3, k, m)
    reference = np.full(weights.shape[1], -9.0)
    for metric in (
        somers_d,
        controllability,
        spearman,
        kendall_tau_b,
        steering_range,
        entanglement,
    ):
        expected = [metric(weights, one) for one in batch[0]]
        np.testing.assert_allclose(metric(weights, batch)[0], expected, atol=1e-12)
    expected = [cross_angle(weights, one, reference) for one in batch[0]]
    np.testing.assert_allclose(cross_angle(weights, batch, reference)[0], expected)


def test_one_set_gives_a_float():
    assert isinstance(controllability(LINE, LINE), float)
    assert isinstance(cross_angle(LINE, LINE + 1, [0, 0]), float)


def test_monotonicity_by_hand():
    points = np.array([[0, 4], [2, 3], [1, 3], [5, 2], [4.5, 1]], dtype=float)
    # f_0 falls by 1 and by 0.5 as its weight rises; f_1 never does.
    assert monotonicity(LINE, points) == (2, 1.0, 8)


def test_monotonicity_looks_at_edges_alone():
    weights = lattice(3, 2)
    inside = np.append(weights, [[1 / 3] * 3], axis=0)
    points = np.append(weights, [[-9.0, -9, -9]], axis=0)
    assert monotonicity(inside, points) == (0, 0.0, 12)


def test_monotonicity_averages_further_dials():
    twice = np.repeat(LINE, 2, axis=0)
    points = np.repeat(LINE, 2, axis=0) + np.tile([[0.5], [-0.5]], (len(LINE), 1))
    assert monotonicity(twice, points).violations == 0


def test_monotonicity_without_steps():
    assert monotonicity([[0.2, 0.3, 0.5], [0.3, 0.3, 0.4]], np.zeros((2, 3))) == (0, 0.0, 0)


@given(steered())
def test_monotonicity_agrees_with_d_where_order_is_perfect(case):
    weights, points = case
    ordered = weights + 0 * points
    assert monotonicity(weights, ordered).violations == 0
    backwards = monotonicity(weights, -ordered)
    assert backwards.violations == backwards.steps
    assert 0 <= monotonicity(weights, points).violations <= backwards.steps


def test_range_by_hand():
    weights = np.eye(3)
    points = np.array([[5, 1, 2], [3, 7, 0], [4, -1, 1]], dtype=float)
    np.testing.assert_allclose(steering_range(weights, points), [5 - 3, 7 - (-1), 1 - 0])
    with pytest.raises(MetricError, match="the vertex of objective 1 is missing"):
        steering_range([[1, 0], [0.5, 0.5]], [[1, 1], [1, 1]])


@given(steered())
def test_entanglement_is_least_squares(case):
    weights, points = case
    slopes = entanglement(weights, points)
    for i, j in np.ndindex(slopes.shape):
        expected = np.polyfit(weights[:, i], points[:, j], 1)[0]
        assert slopes[i, j] == pytest.approx(expected, abs=1e-9)


def test_entanglement_of_other_dials():
    alphas = [[0.0], [1.0], [2.0]]
    np.testing.assert_allclose(entanglement(alphas, [[1, 0], [3, 0], [5, 0]]), [[2, 0]], atol=1e-12)
    with pytest.raises(MetricError, match="controls: column 0 is the same in every row"):
        entanglement([[1.0], [1.0]], [[1, 2], [3, 4]])
    with pytest.raises(MetricError, match="one row of controls per point"):
        entanglement([[1.0]], [[1, 2], [3, 4]])


def test_cross_angle_by_hand():
    assert cross_angle([[1, 0], [0, 1]], [[3, 0], [2, 2]], [0, 0]) == pytest.approx(45 / 2)
    assert cross_angle([[1, 0]], [[0, 0]], [1, 0]) == pytest.approx(180)
    with pytest.raises(MetricError, match="one is the reference itself"):
        cross_angle([[1, 0]], [[1, 1]], [1, 1])


@pytest.mark.parametrize(
    ("preferences", "points", "message"),
    [
        ([[0.5, 0.6]], [[1, 2]], r"preferences: row 0 sums to 1\.1"),
        ([[1.5, -0.5]], [[1, 2]], "preferences: row 0 has the negative weight -0.5"),
        ([[1, 0], [0, 1]], [[1, 2]], r"points: have shape \(1, 2\) for preferences"),
        ([[1, 0], [1, 0]], [[1, 2], [3, 4]], "preferences: column 0 is the same in every row"),
    ],
)
def test_bad_input(preferences, points, message):
    with pytest.raises(MetricError, match=message):
        somers_d(preferences, points)
