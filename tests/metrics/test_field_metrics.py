"""Metrics of other papers' tables, against brute force."""

import numpy as np
import pytest

from paretosteer.metrics import (
    MetricError,
    axis_goals,
    collapse_rate,
    conditional_dispersion,
    steering_errors,
    win_rate,
    wins_by_prompt,
)

RNG = np.random.default_rng(0)


def test_win_rate_is_brute_force():
    mu = RNG.dirichlet(np.ones(3), size=4)
    a, b = RNG.normal(size=(2, 4, 7, 3)).round(1)
    b[:, 0] = a[:, 0]  # a tie on the first prompt
    wins = [[mu[k] @ a[k, p] > mu[k] @ b[k, p] for k in range(4)] for p in range(7)]
    np.testing.assert_allclose(wins_by_prompt(mu, a, b), np.mean(wins, axis=1))
    assert win_rate(mu, a, b) == pytest.approx(np.mean(wins))
    assert win_rate(mu, a, b) + win_rate(mu, b, a) == pytest.approx(6 / 7)
    with pytest.raises(MetricError, match="b: has shape"):
        win_rate(mu, a, b[:, :3])


def test_dispersion_is_the_mean_determinant():
    scores = RNG.normal(size=(5, 9, 3))
    expected = np.mean([np.linalg.det(np.cov(each.T)) for each in scores])
    assert conditional_dispersion(scores) == pytest.approx(expected)
    assert conditional_dispersion(scores * 2) == pytest.approx(expected * 2**6)
    assert conditional_dispersion(scores[..., [0, 0]]) == pytest.approx(0, abs=1e-12)
    with pytest.raises(MetricError, match="at least two responses"):
        conditional_dispersion(scores[:, :1])


def test_collapse():
    repeated = "the old man said " * 4
    assert collapse_rate(["", "one two", "one two three", repeated, repeated[:-17]]) == 3 / 5
    with pytest.raises(MetricError, match="found no list"):
        collapse_rate("text")


def test_steering_errors():
    start, goal = np.zeros((3, 2)), np.array([[2.0, 0.0]] * 3)
    outcome = np.array([[2.0, 0.0], [1.0, 0.0], [2.0, 1.0]])
    assert steering_errors(start, goal, outcome) == (pytest.approx(1 / 6), pytest.approx(1 / 6))
    starts, goals, outcomes = RNG.normal(size=(3, 1, 4))
    found = steering_errors(starts, goals, outcomes)
    relative = np.linalg.norm(outcomes - goals) / np.linalg.norm(goals - starts)
    assert found.miscalibration**2 + found.orthogonality**2 == pytest.approx(relative**2)
    with pytest.raises(MetricError, match="row 0 is its start"):
        steering_errors(start, start, outcome)


def test_goals_of_a_linear_cube_are_met():
    axis = np.linspace(0, 1, 5)
    controls = np.array([[a, b] for a in axis for b in axis])
    exact = steering_errors(*axis_goals(controls, 1 + controls * [2, 3]))
    assert exact == (pytest.approx(0), pytest.approx(0))
    bent = steering_errors(*axis_goals(controls, controls @ np.array([[1, 0.5], [0, 1]])))
    assert bent.miscalibration == pytest.approx(0)
    assert bent.orthogonality == pytest.approx(0.25)  # half of the turns, half of the way
    with pytest.raises(MetricError, match="dial 0 is never 1 alone"):
        axis_goals(controls / 2, controls)
