"""Exact figures of a method on the tabular bandit, from its probabilities alone."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch

from paretosteer import Benchmark, Method
from paretosteer.interfaces import Array

Log = Array  # log-probabilities


def normalised(log: Log) -> Log:
    """Log-probabilities that sum to 1 over the last axis."""
    top = log.max(axis=-1, keepdims=True)
    shifted: Log = log - top
    return shifted - np.log(np.exp(shifted).sum(axis=-1, keepdims=True))


def policies(benchmark: Benchmark, method: Method, mu: Array) -> Log:
    """Log-probabilities of every action on the test contexts, (k, contexts, K)."""
    contexts, policy = benchmark.prompts("test"), method.policy
    rows = []
    for control in (method.control(np.tile(one, (len(contexts), 1))) for one in mu):
        with torch.no_grad():
            rows.append(policy.log_policy(contexts, control).double().numpy())  # type: ignore[attr-defined]
    return normalised(np.stack(rows))


def mean_regret(benchmark: Any, method: Method, mu: Array) -> float:
    """Mean over preferences (k, m) of the lost share of what the optimum gains."""
    contexts, kappa = benchmark.prompts("test"), benchmark.options.kappa
    z = benchmark.normaliser.apply(benchmark.outcomes(contexts))  # (contexts, K, m)
    start = benchmark._log_start[benchmark._rows(contexts)]  # (contexts, K)

    def value(log: Log) -> Array:  # (k, contexts, K) to (k,)
        p = np.exp(log)
        reward = np.einsum("kxa,xam,km->k", p, z, mu) / len(z)
        return reward - kappa * (p * (log - start)).sum(axis=-1).mean(axis=-1)

    best = normalised(start + np.einsum("xam,km->kxa", z, mu) / kappa)
    at_start = value(np.broadcast_to(start, best.shape))
    lost = (value(best) - value(policies(benchmark, method, mu))) / (value(best) - at_start)
    return float(lost.mean())
