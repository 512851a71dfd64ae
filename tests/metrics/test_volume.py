import numpy as np
import pytest
from hypervolume_oracle import dimension_sweep, inclusion_exclusion
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from metric_inputs import Array, point_sets, two_sets

from paretosteer.metrics import (
    MetricError,
    affordable,
    contribution,
    dispersion_of,
    expected_utility,
    front_size,
    hypervolume,
    hypervolume_many,
    hypervolume_ratio,
    hypervolume_with_error,
    monte_carlo_hypervolume,
    nondominated,
    points_outside,
    sparsity,
    steering_errors,
)
from paretosteer.metrics import volume as volume_module
from paretosteer.metrics.exact_cost import exact_seconds
from paretosteer.metrics.measure import Frame, measure
from paretosteer.metrics.monte_carlo_volume import estimate_unions
from paretosteer.metrics.row_points import Points


def below(points: Array) -> Array:
    """A reference inside the range of the points, so that some lie outside."""
    return np.full(points.shape[1], -1.0)


def sphere(k: int, m: int, seed: int = 0) -> Array:
    points = np.abs(np.random.default_rng(seed).normal(size=(k, m)))
    return points / np.linalg.norm(points, axis=1, keepdims=True)


@pytest.mark.parametrize(
    ("points", "expected"),
    [
        ([[1, 1]], 1.0),
        ([[2, 1], [1, 2]], 3.0),
        ([[2, 1], [1, 2], [1, 1], [2, 1]], 3.0),
        ([[3, 1], [2, 2], [1, 3]], 6.0),
        ([[1, 1, 2], [1, 2, 1], [2, 1, 1]], 4.0),
        ([[5, -1], [0, 9], [-1, -1]], 0.0),
        ([[5, -1], [1, 1]], 1.0),
    ],
)
def test_hand_worked(points, expected):
    assert hypervolume(points, np.zeros(len(points[0]))) == pytest.approx(expected)
    many = hypervolume_many([points], np.zeros(len(points[0])))
    np.testing.assert_allclose(many, [expected])


@given(point_sets())
def test_two_independent_oracles(points):
    reference = below(points)
    expected = inclusion_exclusion(points, reference)
    assert dimension_sweep(points, reference) == pytest.approx(expected, abs=1e-9)
    assert hypervolume(points, reference) == pytest.approx(expected, abs=1e-9)


@pytest.mark.parametrize(("k", "m"), [(40, 2), (21, 3), (35, 4), (20, 5), (12, 6)])
def test_larger_fronts_against_the_sweep(k, m):
    points = sphere(k, m) + np.random.default_rng(1).normal(scale=0.1, size=(k, m))
    reference = np.full(m, -0.2)
    volume = hypervolume_with_error(points, reference)
    assert volume.exact and volume.error == 0
    assert volume.value == pytest.approx(dimension_sweep(points, reference), rel=1e-9)


@given(two_sets())
def test_more_points_never_hurt(sets):
    points, more = sets
    reference = below(points)
    union = np.concatenate([points, more])
    assert hypervolume(union, reference) >= hypervolume(points, reference) - 1e-9
    assert hypervolume(union, reference) <= (
        hypervolume(points, reference) + hypervolume(more, reference) + 1e-9
    )


@given(point_sets(), st.integers(-3, 3), st.sampled_from([0.5, 2.0, 4.0]), st.randoms())
def test_moves_with_units_and_not_with_order(points, shift, scale, random):
    reference = below(points)
    value = hypervolume(points, reference)
    assert hypervolume(points + shift, reference + shift) == pytest.approx(value, abs=1e-6)
    scaled = hypervolume(points * scale, reference * scale)
    assert scaled == pytest.approx(value * scale ** points.shape[1], abs=1e-6)
    rows, columns = list(range(len(points))), list(range(points.shape[1]))
    random.shuffle(rows)
    random.shuffle(columns)
    shuffled = points[rows][:, columns]
    assert hypervolume(shuffled, reference) == pytest.approx(value, abs=1e-9)


@given(point_sets())
def test_dominated_points_and_points_outside_do_nothing(points):
    reference = below(points)
    value = hypervolume(points, reference)
    assert hypervolume(points[nondominated(points)], reference) == pytest.approx(value)
    worse = np.concatenate([points, points - 0.25])
    assert hypervolume(worse, reference) == pytest.approx(value)
    inside = points[(points > reference).all(axis=1)]
    assert points_outside(points, reference) == len(points) - len(inside)
    assert value == pytest.approx(hypervolume(inside, reference) if len(inside) else 0.0)


@given(
    st.tuples(st.integers(1, 4), st.integers(1, 7), st.integers(2, 4)).flatmap(
        lambda shape: arrays(np.float64, shape, elements=st.integers(-8, 8).map(float))
    )
)
def test_many_is_one_at_a_time(batch):
    reference = np.full(batch.shape[2], -3.0)
    expected = [hypervolume(points, reference) for points in batch]
    np.testing.assert_allclose(hypervolume_many(batch, reference), expected, atol=1e-9)


@pytest.mark.parametrize("m", [2, 4, 7])
@pytest.mark.parametrize("seed", [0, 1, 2])
def test_monte_carlo_within_its_stated_error(m, seed):
    points, reference = sphere(25, m, seed), np.full(m, -1.0)
    exact = hypervolume_with_error(points, reference)
    sampled = monte_carlo_hypervolume(points, reference, seed)
    assert exact.exact and not sampled.exact
    assert 0 < sampled.error < 0.01 * exact.value
    assert abs(sampled.value - exact.value) < 4 * sampled.error


def test_monte_carlo_error_is_a_standard_error():
    points, reference = sphere(10, 3), np.full(3, -1.0)
    exact = hypervolume(points, reference)
    runs = [monte_carlo_hypervolume(points, reference, seed) for seed in range(30)]
    scores = [(run.value - exact) / run.error for run in runs]
    assert 0.6 < np.std(scores) < 1.4 and abs(np.mean(scores)) < 0.6


def test_monte_carlo_takes_over_and_repeats_itself():
    points, reference = sphere(60, 10), np.full(10, -0.5)
    first = hypervolume_with_error(points, reference)
    assert not first.exact and first.error > 0
    assert first == hypervolume_with_error(points, reference)
    assert monte_carlo_hypervolume([[-1, 5]], [0, 0]).value == 0


def test_resamples_are_near_what_each_is_alone():
    points, reference = sphere(45, 8), np.full(8, -1.0)
    noise = np.random.default_rng(1).normal(scale=0.02, size=(12, 45, 8))
    many = hypervolume_many(points + noise, reference)  # along few directions
    alone = [hypervolume_with_error(each, reference) for each in points + noise]
    assert all(each.exact for each in alone)
    values = np.array([each.value for each in alone])
    assert np.abs(many - values).max() < 0.01 * values.mean()
    assert np.corrcoef(many, values)[0, 1] > 0.8


def test_sets_of_one_question_meet_the_same_directions():
    reference = np.full(10, -0.5)
    points, better = sphere(60, 10), sphere(60, 10) + 0.01
    assert hypervolume_ratio(points, np.concatenate([points, better]), reference) < 1
    assert contribution(points - 0.02, points, reference).volume == 0


def conflict(objectives: int, pairs: int) -> Array:
    """A thin front: one objective far up in each point, or two of the first `pairs` half way."""
    axes = np.eye(objectives)
    between = [0.9 + 0.45 * (axes[i] + axes[j]) for i in range(pairs) for j in range(i)]
    return np.concatenate([1 + 3 * axes, between])


def test_the_ten_objective_grid_is_exact():
    points, reference = conflict(10, 10), np.zeros(10)
    assert len(points) == 55 and affordable([points])
    volume = hypervolume_with_error(points, reference)
    assert volume.exact and volume.value == pytest.approx(33.37295, abs=5e-6)
    assert hypervolume(points[:10], reference) == pytest.approx(31.0)
    estimate = hypervolume_with_error(points, reference, exact=False)
    assert not estimate.exact and 0 < estimate.error <= 0.03 * estimate.value
    assert abs(estimate.value - volume.value) <= 2 * estimate.error


@pytest.mark.parametrize(
    ("objectives", "pairs", "seeds"),
    [
        (8, 8, 30),
        pytest.param(10, 10, 200, marks=pytest.mark.slow),
        pytest.param(12, 7, 200, marks=pytest.mark.slow),
    ],
)
def test_errors_are_honest_on_thin_fronts(objectives, pairs, seeds):
    points, reference = conflict(objectives, pairs), np.zeros(objectives)
    exact = hypervolume(points, reference, exact=True)
    runs = [monte_carlo_hypervolume(points, reference, seed) for seed in range(seeds)]
    assert np.mean([abs(run.value - exact) <= 2 * run.error for run in runs]) >= 0.9
    assert max(run.error for run in runs) <= 0.03 * exact


def test_a_set_is_never_estimated_below_its_subset():
    edges = sphere(40, 9) + 0.1
    sets = [edges[:n] for n in (1, 5, 20, 39, 40)]
    values = [each.value for each in estimate_unions(sets)]
    assert values == sorted(values)
    nothing = np.empty((0, 9))
    assert [each.value for each in estimate_unions([nothing, nothing])] == [0, 0]
    assert estimate_unions([nothing, edges])[0].value == 0


def test_cost_grows_with_points_and_objectives():
    assert exact_seconds(10_000, 5) == 0
    for objectives in range(6, 20):
        few, many = exact_seconds(12, objectives), exact_seconds(40, objectives)
        assert 0 < few < many < exact_seconds(40, objectives + 1) or objectives >= 15


def test_duplicates_count_once_and_change_nothing():
    points = sphere(12, 6)
    twice = np.concatenate([points, points])
    reference = np.full(6, -0.1)
    for exact in (True, False):
        once = hypervolume(points, reference, exact)
        assert hypervolume(twice, reference, exact) == pytest.approx(once)
    others = sphere(12, 6, seed=1)
    alone = contribution(points, others, reference)
    assert contribution(twice, others, reference).volume == pytest.approx(alone.volume)
    assert contribution(points, points, reference) == (0, 12)
    assert front_size(twice) == front_size(points) == 12


@pytest.mark.parametrize("exact", [True, False, None])
@pytest.mark.parametrize("m", [2, 4, 7])
def test_overflow_is_an_error(m, exact):
    points = np.full((3, m), 1e200) + 1e200 * np.eye(max(m, 3))[:3, :m]
    with pytest.raises(MetricError, match="points: are finite, but their hypervolume overflows"):
        hypervolume(points, np.zeros(m), exact)
    with pytest.raises(MetricError, match="overflows"):
        hypervolume_many(points[None], np.zeros(m), exact)


@pytest.mark.parametrize(
    "measure",
    [
        lambda points: monte_carlo_hypervolume(points, [0.0, 0.0]),
        sparsity,
        lambda points: dispersion_of(points[:, :, None] * np.eye(2)),
        lambda points: steering_errors(points, -points, 0.5 * points),
    ],
)
def test_other_measures_that_overflow_are_refused(measure):
    points = 1e200 * np.array([[2.0, 1.0], [1.0, 2.0]])
    with pytest.raises(MetricError, match=r"points: are finite, but their .* overflows"):
        measure(points)


def test_points_whose_sums_overflow_are_refused():
    with pytest.raises(MetricError, match=r"points: holds a value beyond 1e\+300"):
        expected_utility([[0.5, 0.5]], [[1e308, 1e308]])


def test_one_table_is_all_exact_or_all_estimated(monkeypatch):
    monkeypatch.setattr(volume_module, "LONGEST", exact_seconds(15, 6))
    mu = np.eye(6)[np.arange(20) % 6]
    small = np.repeat(sphere(6, 6), 4, axis=0)[:20]
    frame = Frame(mu, np.full(6, -0.5), list("abcdef"))
    rows = [Points(each[None], [None]) for each in (small, sphere(20, 6))]
    alone, both = measure(rows[:1], frame), measure(rows, frame)
    assert alone[0]["hypervolume_error"] == 0
    assert all(each["hypervolume_error"] > 0 for each in both)
    assert both[0]["hypervolume"] == pytest.approx(alone[0]["hypervolume"], rel=0.02)


def test_ratio():
    assert hypervolume_ratio([[1, 1]], [[2, 2]], [0, 0]) == pytest.approx(0.25)
    with pytest.raises(MetricError, match="front: no point is above the reference"):
        hypervolume_ratio([[1, 1]], [[-1, 2]], [0, 0])


def test_contribution():
    assert contribution([[2, 1], [1, 1]], [[1, 2]], [0, 0]) == (pytest.approx(1), 1)
    assert contribution([[1, 1]], [[2, 2]], [0, 0]) == (0, 0)
    assert contribution([[1, 1]], [[1, 1]], [0, 0]) == (0, 1)
    assert contribution([[1, 1]], [], [0, 0]) == (pytest.approx(1), 1)


@given(two_sets())
def test_contribution_is_bounded_by_the_whole(sets):
    own, others = sets
    volume, points = contribution(own, others, below(own))
    assert 0 <= volume <= hypervolume(own, below(own)) + 1e-9
    assert points <= nondominated(own).sum()


@pytest.mark.parametrize(
    ("points", "reference", "message"),
    [
        ([[1, 2]], [0, 0, 0], r"reference: has shape \(3,\) for 2 objectives"),
        ([[1, 2]], [0, np.nan], r"reference: the value at index \(1,\) is nan"),
        ([[1, np.inf]], [0, 0], r"points: the value at index \(0, 1\) is inf"),
        ([], [0, 0], "points: is empty"),
        ([[1, 2], [3]], [0, 0], "points: is ragged, with rows of 1, 2 values"),
    ],
)
def test_bad_input(points, reference, message):
    with pytest.raises(MetricError, match=message):
        hypervolume(points, reference)


def test_many_wants_a_batch():
    with pytest.raises(MetricError, match="give a batch of sets"):
        hypervolume_many([[1, 2]], [0, 0])
