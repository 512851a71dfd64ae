import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from paretosteer.metrics import (
    MetricError,
    nested_means,
    percentile_interval,
    probability_better,
    reflected_interval,
    resample_counts,
    resampled_means,
    resampled_shares,
    symmetric_interval,
)

replicates = st.lists(st.floats(-5, 5, width=32), min_size=1, max_size=30)


@given(st.integers(1, 40), st.integers(1, 20), st.integers(0, 5))
def test_counts_sum_to_the_prompts_and_repeat(prompts, resamples, seed):
    counts = resample_counts(prompts, resamples, seed)
    assert counts.shape == (resamples, prompts)
    assert (counts.sum(axis=1) == prompts).all() and (counts >= 0).all()
    np.testing.assert_array_equal(counts, resample_counts(prompts, resamples, seed))


def test_resampled_means_weigh_prompts_by_count():
    rng = np.random.default_rng(0)
    scores, counts = rng.normal(size=(3, 5, 2)), resample_counts(5, 4, seed=1)
    got = resampled_means(scores, counts)
    assert got.shape == (4, 3, 2)
    for b in range(4):
        drawn = np.repeat(np.arange(5), counts[b])
        np.testing.assert_allclose(got[b], scores[:, drawn].mean(axis=1))
    once = resampled_means(scores, np.ones((1, 5), dtype=np.int64))
    np.testing.assert_allclose(once[0], scores.mean(axis=1))


def test_bootstrap_spread_is_the_standard_error():
    scores = np.random.default_rng(0).normal(size=(1, 400, 2))
    means = resampled_means(scores, resample_counts(400, 2000, seed=0))
    np.testing.assert_allclose(means.std(axis=0), scores.std(axis=1) / 20, rtol=0.1)


@given(replicates, st.floats(-5, 5, width=32), st.floats(0.05, 0.99))
def test_reflection(values, estimate, level):
    percentile = percentile_interval(values, level)
    reflected = reflected_interval(estimate, values, level)
    assert percentile.low <= percentile.high and reflected.low <= reflected.high
    assert reflected.low - estimate == pytest.approx(estimate - percentile.high, abs=1e-9)
    assert reflected.high - estimate == pytest.approx(estimate - percentile.low, abs=1e-9)


def test_reflection_moves_against_the_bias():
    assert reflected_interval(1.0, [1.5, 2.0, 2.5], 0.5) == (-0.25, 0.25)
    assert percentile_interval(np.arange(101), 0.9) == pytest.approx((5, 95))


@given(replicates)
def test_probability_better(values):
    a = np.array(values)
    assert probability_better(a, a) == 0.5
    assert probability_better(a + 1, a) == 1
    b = a[::-1]
    assert probability_better(a, b) + probability_better(b, a) == pytest.approx(1)


@pytest.mark.parametrize(("count", "quantile"), [(5, 2.776), (10, 2.262)])
def test_replicates_spread_as_students_t(count, quantile):
    values = np.random.default_rng(3).normal(size=(400, count))
    shares = resampled_shares(count, 4000, seed=0)
    np.testing.assert_allclose(shares.sum(axis=1), 1)
    np.testing.assert_array_equal(shares, resampled_shares(count, 4000, seed=0))
    low, high = np.quantile(values @ shares.T, [0.025, 0.975], axis=1)  # (400,)
    exact = 2 * quantile * values.std(axis=1, ddof=1) / np.sqrt(count)
    assert np.mean((high - low) / exact) == pytest.approx(1, abs=0.06)
    covered = np.mean((low < 0) & (high > 0))
    assert 0.92 < covered < 0.98


def test_replicates_without_noise_are_resampled_as_they_are():
    values, shares = np.array([1.0, 2.0, 4.0]), resampled_shares(3, 50, seed=1)
    got = nested_means(np.repeat(values[:, None], 50, axis=1), shares)
    np.testing.assert_allclose(got, shares @ values)
    alike = np.random.default_rng(0).normal(size=50)
    np.testing.assert_allclose(nested_means(np.stack([alike] * 3), shares), alike)


def test_noise_counts_once():
    """Forty replicates that differ by the noise of their prompts alone, 200 times."""
    rng = np.random.default_rng(4)
    centres = rng.normal(size=(40, 1, 200))
    values = centres + rng.normal(size=(40, 500, 200))
    spread = nested_means(values, resampled_shares(40, 500, seed=2)).var(axis=0).mean()
    assert 1 / 40 < spread < 1.3 / 40
    unlike = nested_means(2 * centres + values, resampled_shares(40, 500, seed=2))
    assert unlike.var(axis=0).mean() == pytest.approx(9 / 40, rel=0.15)


@given(replicates, st.floats(-5, 5, width=32))
def test_symmetric_interval_spans_both(values, estimate):
    low, high = symmetric_interval(estimate, values)
    assert estimate - low == pytest.approx(high - estimate, abs=1e-9)
    for other in (percentile_interval(values), reflected_interval(estimate, values)):
        assert low <= other.low and other.high <= high


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: resample_counts(0, 5, 0), "prompts, resamples: found 0 and 5"),
        (lambda: resampled_means(np.ones((1, 3, 2)), np.ones((1, 4))), "counts of 4 prompts"),
        (lambda: percentile_interval([1.0, 2.0], 95), "level: is 95"),
        (lambda: percentile_interval([1.0, np.nan]), "replicates: the value at index"),
        (lambda: probability_better([1.0], [1.0, 2.0]), "b_replicates: has 2 values; give 1"),
        (lambda: nested_means(np.ones((2, 3)), np.ones((2, 3))), "values: have shape .2, 3."),
        (lambda: resampled_shares(1, 5, 0), "replicates: is 1; give at least 2"),
    ],
)
def test_bad_input(call, message):
    with pytest.raises(MetricError, match=message):
        call()
