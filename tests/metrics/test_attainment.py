import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from paretosteer.metrics import MetricError, attainment_surface, hypervolume

sets = st.tuples(st.integers(1, 5), st.integers(1, 5), st.just(2)).flatmap(
    lambda shape: arrays(np.float64, shape, elements=st.integers(0, 6))
)
shares = st.sampled_from([0.2, 0.25, 0.5, 0.75, 1.0])


def attains(points, place):
    return bool((points >= place).all(axis=-1).any())


@given(sets, shares)
def test_a_surface_bounds_what_a_share_of_the_sets_attains(points, share):
    corners = attainment_surface(points, share)
    for place in np.ndindex(7, 7):
        attained = np.mean([attains(each, place) for each in points])
        assert attains(corners, place) == (attained >= share)


@given(sets)
def test_surfaces_are_nested(points):
    corner = [-1.0, -1.0]
    volumes = [hypervolume(attainment_surface(points, share), corner) for share in (0.25, 0.5, 1)]
    assert volumes == sorted(volumes, reverse=True)


@given(sets, shares)
def test_corners_run_from_one_objective_to_the_other(points, share):
    corners = attainment_surface(points, share)
    assert (np.diff(corners[:, 0]) > 0).all() and (np.diff(corners[:, 1]) < 0).all()


def test_by_hand():
    points = [[[0, 2], [2, 0]], [[1, 1], [1, 1]]]
    assert attainment_surface(points, 0.5).tolist() == [[0, 2], [1, 1], [2, 0]]
    assert attainment_surface(points, 1).tolist() == [[0, 1], [1, 0]]


@pytest.mark.parametrize(
    ("points", "share", "message"),
    [
        ([[1.0, 2.0]], 0.5, "give sets of two objectives"),
        ([[[1.0, 2.0, 3.0]]], 0.5, "give sets of two objectives"),
        ([[[1.0, 2.0]]], 50, "share: is 50"),
    ],
)
def test_bad_input(points, share, message):
    with pytest.raises(MetricError, match=message):
        attainment_surface(points, share)
