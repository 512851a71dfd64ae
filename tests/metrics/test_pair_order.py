"""Decisions on pairs of points, against a literal max-t and against simulated truths."""

import numpy as np
import pytest

from paretosteer.metrics import MetricError, pair_order, resampled_means, resampled_shares, somers_d

GRID = np.array([[i / 10, 1 - i / 10] for i in range(11)])


def draws_of(scores: np.ndarray, resamples: int = 400) -> np.ndarray:
    prompts = scores.shape[1]
    return resampled_means(scores, prompts * resampled_shares(prompts, resamples, 0))


def literal(preferences, points, draws, level):
    """Every pair apart, in double precision."""
    gaps, ratios = [], []
    for i in range(preferences.shape[1]):
        for k in range(len(points)):
            for other in range(len(points)):
                if preferences[k, i] > preferences[other, i] + 1e-9:
                    drawn = draws[:, k, i] - draws[:, other, i]
                    error = drawn.std(ddof=1)
                    gaps.append((i, (points[k, i] - points[other, i]) / error))
                    ratios.append(np.abs(drawn - drawn.mean()) / error)
    bound = np.quantile(np.max(ratios, axis=0), level)
    shares = []
    for i in range(preferences.shape[1]):
        own = np.array([gap for j, gap in gaps if j == i])
        shares.append([(own > bound).mean(), (own < -bound).mean(), (abs(own) <= bound).mean()])
    return np.mean(shares, axis=0)


@pytest.mark.parametrize("objectives", [2, 3])
@pytest.mark.parametrize("level", [0.8, 0.95])
def test_is_the_literal_max_t(objectives, level):
    rng = np.random.default_rng(objectives)
    preferences = rng.dirichlet(np.ones(objectives), size=8)
    scores = preferences[:, None] * 0.8 + rng.normal(size=(8, 30, objectives)) * 0.4
    scores += rng.normal(size=(1, 30, objectives))  # what all points share cancels
    points, draws = scores.mean(axis=1), draws_of(scores)
    found = pair_order(preferences, points, draws, level)
    np.testing.assert_allclose(found, literal(preferences, points, draws, level), atol=1e-9)
    assert 0 < found.undecided < 1
    assert sum(found) == pytest.approx(1)


def test_exact_points_are_decided_and_give_somers_d():
    rng = np.random.default_rng(0)
    points = rng.normal(size=(11, 2))
    found = pair_order(GRID, points, np.repeat(points[None], 50, axis=0))
    assert found.undecided == pytest.approx(0)
    exact = somers_d(GRID, points).mean()
    assert found.interval == pytest.approx((exact, exact))


def test_a_flat_method_is_neither_confirmed_nor_contradicted():
    rng = np.random.default_rng(1)
    for spread in (0.0, 1.0):
        scores = np.ones((11, 40, 2)) + spread * rng.normal(size=(11, 40, 2))
        found = pair_order(GRID, scores.mean(axis=1), draws_of(scores))
        assert found == (0, 0, 1)
        assert found.interval == (-1, 1)


def test_more_prompts_decide_more_pairs():
    rng = np.random.default_rng(2)
    scores = GRID[:, None] * 0.5 + rng.normal(size=(11, 2000, 2))
    few, many = (
        pair_order(GRID, each.mean(axis=1), draws_of(each)) for each in (scores[:, :50], scores)
    )
    assert many.undecided < few.undecided
    backwards = pair_order(GRID, -scores.mean(axis=1), draws_of(-scores))
    assert backwards.contradicted == many.confirmed > 0.5


def test_wrong_decisions_are_as_rare_as_stated():
    """Of flat methods at most 5 % have any pair decided."""
    rng = np.random.default_rng(3)
    wrong = 0
    for _ in range(60):
        scores = rng.normal(size=(11, 50, 2))
        wrong += pair_order(GRID, scores.mean(axis=1), draws_of(scores)).undecided < 1
    assert wrong <= 8


def test_bad_input():
    with pytest.raises(MetricError, match="draws: have shape"):
        pair_order(GRID, GRID, GRID)
    flat = np.full((3, 2), 0.5)
    with pytest.raises(MetricError, match="preferences: column 0 is the same in every row"):
        pair_order(flat, flat, flat[None])
