"""Cross-fitted regret, against a literal version and against simulated truths."""

import numpy as np
import pytest

from paretosteer.metrics import (
    MetricError,
    cross_fitted_regret,
    gains_by_prompt,
    steering_regret,
)
from paretosteer.metrics.cross_fit import _halves

GRID = np.array([[i / 10, 1 - i / 10] for i in range(11)])


def literal(preferences, scores, splits, seed):
    gains = np.zeros((splits, scores.shape[1]))
    for place, half in enumerate(_halves(scores.shape[1], splits, seed)):
        for prompt in np.flatnonzero(~half):
            lost = []
            for own, mu in enumerate(preferences):
                best = max(
                    range(len(scores)), key=lambda each: mu @ scores[each, half].mean(axis=0)
                )
                lost.append(mu @ (scores[best, prompt] - scores[own, prompt]))
            gains[place % splits, prompt] = np.mean(lost)
    return gains.mean(axis=0)


@pytest.mark.parametrize("prompts", [2, 7, 12])
def test_is_the_literal_cross_fit(prompts):
    rng = np.random.default_rng(prompts)
    preferences = rng.dirichlet(np.ones(3), size=6)
    scores = rng.normal(size=(6, prompts, 3))
    found = gains_by_prompt(preferences, scores, splits=4, seed=5)
    np.testing.assert_allclose(found, literal(preferences, scores, 4, 5), atol=1e-12)


def test_every_prompt_is_held_out_once_per_split():
    halves = _halves(9, 5, 0)
    assert halves.shape == (10, 9)
    np.testing.assert_array_equal(halves[:5], ~halves[5:])
    assert (halves[:5].sum(axis=1) == 4).all()


def test_without_noise_it_is_the_plain_regret():
    rng = np.random.default_rng(1)
    points = rng.normal(size=(11, 2))
    exact = steering_regret(GRID, points)
    for prompts in (1, 2, 9):
        scores = np.repeat(points[:, None], prompts, axis=1)
        assert cross_fitted_regret(GRID, scores) == pytest.approx(exact)
    flat = rng.normal(size=(1, 20, 2)).repeat(11, axis=0)
    assert cross_fitted_regret(GRID, flat) == 0


def test_no_winners_curse():
    """Points that do not differ: plain regret is noise, the cross-fitted one 0 on average."""
    rng = np.random.default_rng(2)
    scores = rng.normal(size=(100, 11, 50, 2))
    plain = np.mean([steering_regret(GRID, each.mean(axis=1)) for each in scores])
    fitted = np.array([cross_fitted_regret(GRID, each) for each in scores])
    assert plain > 0.1
    assert abs(fitted.mean()) < 3 * fitted.std() / 10


def test_bad_input():
    with pytest.raises(MetricError, match=r"scores: have shape \(11, 2\) for preferences"):
        cross_fitted_regret(GRID, GRID)
