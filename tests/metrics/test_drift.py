import numpy as np
import pytest
from hypothesis import given
from metric_inputs import point_sets

from paretosteer.metrics import MetricError, distinct_n, hypervolume, quality_at_equal_drift


def test_quality_by_hand():
    points, kl = [[1, 1], [2, 1], [3, 3]], [0.0, 1.0, 4.0]
    got = quality_at_equal_drift(points, kl, [0, 1, 2, 5], [0, 0])
    np.testing.assert_allclose(got, [0, 1, 2, 9])  # strictly below the threshold


@given(point_sets())
def test_quality_grows_with_the_threshold(points):
    reference = np.full(points.shape[1], -1.0)
    quality = quality_at_equal_drift(points, np.arange(len(points)), [-1, 1, 3, 99], reference)
    assert quality[0] == 0
    assert (np.diff(quality) >= -1e-9).all()
    assert quality[-1] == pytest.approx(hypervolume(points, reference))


def test_kl_must_match_the_points():
    with pytest.raises(MetricError, match="kl: has 1 values; give 2"):
        quality_at_equal_drift([[1, 2], [2, 1]], [0.1], [1], [0, 0])
    with pytest.raises(MetricError, match=r"kl: the value at index \(1,\) is nan"):
        quality_at_equal_drift([[1, 2], [2, 1]], [0.1, np.nan], [1], [0, 0])


@pytest.mark.parametrize(
    ("texts", "n", "expected"),
    [
        (["a b a b"], 2, 2 / 3),
        (["a b", "a b"], 2, 1 / 2),
        (["a b", "c d"], 2, 1),
        (["a a a"], 1, 1 / 3),
        (["a", ""], 2, 0),
    ],
)
def test_distinct_n(texts, n, expected):
    assert distinct_n(texts, n) == pytest.approx(expected)


def test_distinct_n_wants_a_list_of_texts():
    for texts in ([], "one text"):
        with pytest.raises(MetricError, match="texts: found no list of texts"):
            distinct_n(texts)
    with pytest.raises(MetricError, match="n: is 0"):
        distinct_n(["a"], 0)
