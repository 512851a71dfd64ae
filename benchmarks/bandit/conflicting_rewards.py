"""Rewards that conflict by exactly as much as asked, and the best policies under them."""

from __future__ import annotations

import numpy as np

from paretosteer.interfaces import Array


def conflicting(raw: Array, start: Array, correlation: float) -> Array:
    """Mixtures of `raw` that the start policy sees with mean 0, variance 1 and a correlation.

    Parameters
    ----------
    raw
        (contexts, K, m), any rewards that are linearly independent.
    start
        (contexts, K), the start policy's probabilities; contexts count alike.
    correlation
        Of every pair of objectives, above -1 / (m - 1) and below 1.

    Returns
    -------
    (contexts, K, m).

    """
    m = raw.shape[-1]
    weight = (start / len(start)).reshape(-1, 1)  # (contexts * K, 1), sums to 1
    flat = raw.reshape(-1, m)
    centred = flat - (weight * flat).sum(axis=0)
    whiten = np.linalg.inv(np.linalg.cholesky(centred.T @ (weight * centred)))
    colour = np.linalg.cholesky(np.full((m, m), correlation) + (1 - correlation) * np.eye(m))
    mixed: Array = centred @ (colour @ whiten).T
    return mixed.reshape(raw.shape)


def best_policies(z: Array, log_start: Array, preferences: Array, kappa: float) -> Array:
    """Log of pi*(a|x) ~ pi_0(a|x) exp(mu . z(x, a) / kappa), (k, contexts, K).

    Parameters
    ----------
    z
        Normalised rewards, (contexts, K, m).
    log_start
        (contexts, K).
    preferences
        (k, m).
    kappa
        KL coefficient, above 0.

    """
    tilted = log_start + np.einsum("xam,km->kxa", z, preferences) / kappa
    return tilted - _log_sum_exp(tilted)[..., None]


def regularised(z: Array, log_start: Array, log_policy: Array, kappa: float) -> Array:
    """Points g_i = E z_i - kappa KL of policies (k, contexts, K), as (k, m)."""
    policy = np.exp(log_policy)
    kl = (policy * (log_policy - log_start)).sum(axis=-1).mean(axis=-1)  # (k,)
    expected = np.einsum("kxa,xam->km", policy, z) / len(z)
    points: Array = expected - kappa * kl[:, None]
    return points


def _log_sum_exp(x: Array) -> Array:
    """Over the last axis."""
    top = x.max(axis=-1)
    total: Array = top + np.log(np.exp(x - top[..., None]).sum(axis=-1))
    return total
