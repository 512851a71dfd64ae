import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from paretosteer.metrics import (
    MetricError,
    holm,
    rank_intervals,
    ranks,
    reflected_interval,
    reflected_p,
    tie_groups,
)

draws = arrays(np.float64, 40, elements=st.floats(-5, 5, width=32))
p_values = st.lists(st.floats(0, 1), min_size=1, max_size=12)


@given(draws, st.floats(-5, 5, width=32))
def test_p_is_a_share_and_symmetric(values, estimate):
    p = reflected_p(estimate, values)
    assert 1e-6 <= p <= 1
    assert p == pytest.approx(reflected_p(-estimate, -values))
    assert reflected_p(0, values) == 1


@pytest.mark.parametrize("estimate", [0.5, 1.5, 1.9, 2.1, 2.5, -1.9, -2.1])
def test_p_inverts_the_reflected_interval(estimate):
    values = estimate + np.random.default_rng(0).normal(size=20_000)
    low, high = reflected_interval(estimate, values)
    assert (reflected_p(estimate, values) < 0.05) == (low > 0 or high < 0)


@pytest.mark.parametrize(
    ("distance", "exact"), [(1.0, 0.3173), (2.5, 0.01242), (3.5, 4.65e-4), (4.5, 6.8e-6)]
)
def test_p_of_normal_draws_errs_towards_no_difference(distance, exact):
    values = distance + np.random.default_rng(1).normal(size=2000)
    assert 0.8 * exact < reflected_p(distance, values) < 20 * exact


def test_p_falls_with_distance_and_without_noise_at_once():
    noise = np.random.default_rng(2).normal(size=2000)
    found = [reflected_p(d, d + noise) for d in np.linspace(0.1, 6, 30)]
    assert found == sorted(found, reverse=True)
    assert reflected_p(0.1, np.full(50, 0.1)) == 1e-6


def test_holm_by_hand():
    np.testing.assert_allclose(holm([0.01, 0.04, 0.03]), [0.03, 0.06, 0.06])
    assert holm([0.5, 0.9]).tolist() == [1, 1]


@given(p_values)
def test_holm_keeps_the_order_and_never_lowers(values):
    given_, corrected = np.array(values), holm(values)
    assert (corrected >= given_).all() and (corrected <= 1).all()
    assert (corrected <= np.minimum(given_ * len(given_), 1)).all()  # never above Bonferroni
    assert (np.diff(corrected[np.argsort(given_, kind="stable")]) >= 0).all()
    turned = holm(given_[::-1])[::-1]
    np.testing.assert_array_equal(corrected, turned)


@given(
    arrays(np.float64, st.tuples(st.integers(1, 6), st.integers(1, 9)), elements=st.floats(0, 3))
)
def test_ranks_count_who_is_higher(values):
    found = ranks(values)
    for i, j in np.ndindex(values.shape):
        assert found[i, j] == 1 + sum(values[:, j] > values[i, j])
    low, high = rank_intervals(values).T
    assert (low <= high).all() and (low >= 1).all() and (high <= len(values)).all()
    assert all(a in row and b in row for a, b, row in zip(low, high, found, strict=True))


def test_rank_intervals_by_hand():
    values = np.array([[2.0] * 100, [1.0] * 90 + [3.0] * 10, [0.0] * 100])
    assert rank_intervals(values).tolist() == [[1, 2], [1, 2], [3, 3]]
    assert rank_intervals(values, 0.5).tolist() == [[1, 1], [2, 2], [3, 3]]


@st.composite
def separations(draw):
    n = draw(st.integers(0, 7))
    upper = np.triu(draw(arrays(bool, (n, n))), 1)
    return upper | upper.T


@given(separations())
def test_methods_share_a_group_exactly_when_not_separated(apart):
    groups = tie_groups(apart)
    for i, j in np.ndindex(apart.shape):
        assert any(i in group and j in group for group in groups) != apart[i, j]
    assert not any(set(a) < set(b) for a in groups for b in groups)
    assert len(set(groups)) == len(groups) and groups == sorted(groups)


def test_ties_are_not_transitive():
    apart = np.zeros((3, 3), dtype=bool)
    apart[0, 2] = apart[2, 0] = True
    assert tie_groups(apart) == [(0, 1), (1, 2)]


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: holm([0.5, 1.5]), "p_values: reach from 0.5 to 1.5"),
        (lambda: ranks(1.0), "values: is one number"),
        (lambda: rank_intervals([1.0, 2.0]), "give .methods, resamples"),
        (lambda: rank_intervals([[1.0]], 95), "level: is 95"),
        (lambda: tie_groups([[False, True], [False, False]]), "separated: of shape"),
        (lambda: reflected_p(float("nan"), [1.0]), "estimate: the value at index"),
    ],
)
def test_bad_input(call, message):
    with pytest.raises(MetricError, match=message):
        call()
