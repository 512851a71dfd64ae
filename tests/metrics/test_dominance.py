import numpy as np
import pytest
from hypothesis import given
from metric_inputs import point_sets, two_sets

from paretosteer.metrics import (
    MetricError,
    coverage,
    dominance_at_equal_preference,
    dominated_by,
)


@given(two_sets())
def test_coverage_is_brute_force(sets):
    a, b = sets
    covered = [any((x >= y).all() for x in a) for y in b]
    assert coverage(a, b) == pytest.approx(np.mean(covered))


@given(point_sets())
def test_coverage_of_itself_is_whole(points):
    assert coverage(points, points) == 1
    assert coverage(points + 1, points) == 1
    assert coverage(points - 10, points) == 0


@given(two_sets(aligned=True))
def test_dominance_at_equal_preference(sets):
    a, b = sets
    expected = np.mean([(x >= y).all() and (x > y).any() for x, y in zip(a, b, strict=True)])
    assert dominance_at_equal_preference(a, b) == pytest.approx(expected)
    assert dominance_at_equal_preference(a, b) + dominance_at_equal_preference(b, a) <= 1
    assert dominance_at_equal_preference(a, a) == 0


def test_dominated_by_needs_more_than_half():
    base = np.zeros((4, 2))
    half = np.add(base, [[1], [1], [0], [0]])
    most = np.add(base, [[1], [1], [1], [0]])
    assert dominated_by([base, half]).tolist() == [0, 0]
    assert dominated_by([base, most]).tolist() == [1, 0]
    assert dominated_by([base, base + 1, base + 2]).tolist() == [2, 1, 0]


def test_rows_must_align():
    with pytest.raises(MetricError, match="b: has 2 rows where a has 1"):
        dominance_at_equal_preference([[1, 2]], [[1, 2], [3, 4]])
    with pytest.raises(MetricError, match="give a table"):
        dominated_by([[1, 2]])
