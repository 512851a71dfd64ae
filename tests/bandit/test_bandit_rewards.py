"""Rewards conflict by exactly as much as asked, and nothing beats the closed form."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from paretosteer.benchmarks.bandit.conflicting_rewards import (
    best_policies,
    conflicting,
    regularised,
)
from paretosteer.simplex import lattice

CONTEXTS, ACTIONS = 12, 7
seeds = st.integers(0, 10_000)


def best_values(z, log_start, preferences, kappa):
    """V*(mu) = kappa E_x log sum_a pi_0 exp(mu . z / kappa), (k,)."""
    tilted = log_start + np.einsum("xam,km->kxa", z, preferences) / kappa
    return kappa * np.log(np.exp(tilted).sum(axis=-1)).mean(axis=-1)


def world(seed, m, correlation=0.0):
    rng = np.random.default_rng(seed)
    log_start = rng.normal(size=(CONTEXTS, ACTIONS))
    log_start -= np.log(np.exp(log_start).sum(axis=1, keepdims=True))
    raw = rng.normal(size=(CONTEXTS, ACTIONS, m))
    return conflicting(raw, np.exp(log_start), correlation), log_start


@given(seeds, st.integers(2, 8), st.floats(0.01, 0.99))
@settings(deadline=None, max_examples=40)
def test_the_correlation_is_the_one_that_was_asked_for(seed, m, share):
    lowest = -1 / (m - 1)
    asked = lowest + share * (1 - lowest)
    z, log_start = world(seed, m, asked)
    weight = np.exp(log_start).ravel() / CONTEXTS
    flat = z.reshape(-1, m)
    np.testing.assert_allclose(weight @ flat, 0, atol=1e-9)
    moments = flat.T @ (weight[:, None] * flat)
    expected = np.full((m, m), asked) + (1 - asked) * np.eye(m)
    np.testing.assert_allclose(moments, expected, atol=1e-8)


@given(seeds, st.integers(2, 4), st.floats(0.1, 2.0))
@settings(deadline=None, max_examples=30)
def test_the_value_is_the_utility_of_the_best_points(seed, m, kappa):
    z, log_start = world(seed, m)
    mu = lattice(m, 3)
    points = regularised(z, log_start, best_policies(z, log_start, mu, kappa), kappa)
    values = best_values(z, log_start, mu, kappa)
    np.testing.assert_allclose((mu * points).sum(axis=1), values, atol=1e-10)


@given(seeds, st.floats(0.2, 2.0), st.floats(0.05, 2.0))
@settings(deadline=None, max_examples=30)
def test_no_other_policy_is_worth_more(seed, kappa, away):
    z, log_start = world(seed, 2)
    mu = lattice(2, 4)
    best = best_policies(z, log_start, mu, kappa)
    other = best + away * np.random.default_rng(seed).normal(size=best.shape)
    other -= np.log(np.exp(other).sum(axis=-1, keepdims=True))
    reached = (mu * regularised(z, log_start, other, kappa)).sum(axis=1)
    assert (reached < best_values(z, log_start, mu, kappa)).all()


def test_the_best_policy_is_found_by_hand():
    """Two actions, pi_0 even: pi*(first) = sigmoid(mu . (z_1 - z_2) / kappa)."""
    z = np.array([[[1.0, 0.0], [0.0, 1.0]]])
    log_start = np.log([[0.5, 0.5]])
    policy = np.exp(best_policies(z, log_start, np.array([[0.75, 0.25]]), 0.5))
    assert policy[0, 0, 0] == pytest.approx(1 / (1 + np.exp(-1.0)))
