"""Rewards with a prescribed correlation, and the optimal policies under them."""

from __future__ import annotations

import numpy as np

from paretosteer.interfaces import Array


def conflicting(raw: Array, start: Array, correlation: float) -> Array:
    """Mix rewards to mean 0, variance 1 and a common pairwise correlation.

    The moments are taken under the start policy, with all contexts equally likely.

    Parameters
    ----------
    raw
        (contexts, K, m), linearly independent rewards.
    start
        (contexts, K), probabilities of the start policy.
    correlation
        Correlation of every pair of objectives, above -1 / (m - 1) and below 1.

    Returns
    -------
    (contexts, K, m).

    """
    m = raw.shape[-1]
    weight = (start / len(start)).reshape(-1, 1)  # (contexts * K, 1), sums to 1
    flat = raw.reshape(-1, m)
    centred = flat - (weight * flat).sum(axis=0)
    # Whiten with the inverse Cholesky factor of the covariance, then colour with the target's.
    whiten = np.linalg.inv(np.linalg.cholesky(centred.T @ (weight * centred)))
    colour = np.linalg.cholesky(np.full((m, m), correlation) + (1 - correlation) * np.eye(m))
    mixed: Array = centred @ (colour @ whiten).T
    return mixed.reshape(raw.shape)


def best_policies(z: Array, log_start: Array, preferences: Array, kappa: float) -> Array:
    """Log-probabilities of the optimal policies, (k, contexts, K).

    The optimum of mu . E z - kappa KL(pi || pi_0) is pi*(a|x) ∝ pi_0(a|x) exp(mu . z(x, a) / kappa)
    (e.g. Korbak et al., 2022, arXiv 2205.11275).

    Parameters
    ----------
    z
        (contexts, K, m), normalised rewards.
    log_start
        (contexts, K), log-probabilities of the start policy.
    preferences
        (k, m), preference vectors mu.
    kappa
        KL coefficient, above 0.

    """
    tilted = log_start + np.einsum("xam,km->kxa", z, preferences) / kappa
    return tilted - _log_sum_exp(tilted)[..., None]


def regularised(z: Array, log_start: Array, log_policy: Array, kappa: float) -> Array:
    """Points g_i = E z_i - kappa KL of k policies, (k, m).

    `log_policy` is (k, contexts, K); `z` and `log_start` are as in `best_policies`.
    """
    policy = np.exp(log_policy)
    kl = (policy * (log_policy - log_start)).sum(axis=-1).mean(axis=-1)  # (k,)
    expected = np.einsum("kxa,xam->km", policy, z) / len(z)
    points: Array = expected - kappa * kl[:, None]
    return points


def _log_sum_exp(x: Array) -> Array:
    """Log-sum-exp over the last axis."""
    top = x.max(axis=-1)  # subtracted to avoid overflow
    total: Array = top + np.log(np.exp(x - top[..., None]).sum(axis=-1))
    return total
