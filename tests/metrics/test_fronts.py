import numpy as np
import pytest
from hypothesis import given
from metric_inputs import Array, point_sets, two_sets

from paretosteer.metrics import (
    MetricError,
    additive_epsilon,
    front_size,
    igd_plus,
    nondominated,
    points_outside,
    spacing,
    sparsity,
)


def brute_force(points: Array) -> list[bool]:
    return [
        not any((other >= point).all() and (other > point).any() for other in points)
        for point in points
    ]


@given(point_sets(max_size=12))
def test_nondominated_is_brute_force(points):
    assert nondominated(points).tolist() == brute_force(points)
    assert front_size(points) == len({tuple(each) for each in points[brute_force(points)]})


def test_duplicates_stay_and_there_is_no_tolerance():
    assert nondominated([[1, 2], [1, 2], [2, 1], [1, 1]]).tolist() == [True, True, True, False]
    assert nondominated([[1, 1], [1, 1 + 1e-15]]).tolist() == [False, True]
    assert nondominated([[0.0, 1], [-0.0, 1]]).all()


def test_large_front_against_brute_force():
    points = np.random.default_rng(0).integers(0, 12, size=(150, 4)).astype(float)
    assert nondominated(points).tolist() == brute_force(points)


def test_points_outside_counts_the_boundary():
    assert points_outside([[1, 1], [0, 5], [-1, 5], [2, 2]], [0, 0]) == 2


@given(two_sets())
def test_igd_plus_and_epsilon_from_their_formulas(sets):
    points, front = sets
    short = np.maximum(front[:, None] - points, 0)
    expected = np.sqrt((short**2).sum(axis=2)).min(axis=1).mean()
    assert igd_plus(points, front) == pytest.approx(expected, abs=1e-12)
    expected = (front[:, None] - points).max(axis=2).min(axis=1).max()
    assert additive_epsilon(points, front) == pytest.approx(expected, abs=1e-12)


@given(point_sets())
def test_a_front_is_at_no_distance_from_itself(points):
    front = points[nondominated(points)]
    assert igd_plus(points, front) == 0
    assert additive_epsilon(points, front) == 0


def test_sparsity_and_spacing_by_hand():
    front = [[0, 4], [1, 2], [3, 0]]
    assert sparsity(front) == pytest.approx((1 + 4) / 2 + (4 + 4) / 2)
    assert spacing(front) == pytest.approx(np.std([3, 3, 4], ddof=1))
    dominated = [*front, [0, 0]]
    assert (sparsity(dominated), spacing(dominated)) == (sparsity(front), spacing(front))
    assert sparsity([[1, 2]]) == spacing([[1, 2]]) == 0


@given(point_sets())
def test_sparsity_and_spacing_do_not_move(points):
    points = np.round(points * 4)  # so that a shift is exact
    assert sparsity(points + 3) == pytest.approx(sparsity(points))
    assert spacing(points + 3) == pytest.approx(spacing(points))


def test_objectives_must_agree():
    with pytest.raises(MetricError, match="front: has 3 objectives where 2 are expected"):
        igd_plus([[1, 2]], [[1, 2, 3]])
