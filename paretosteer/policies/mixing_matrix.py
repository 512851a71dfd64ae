"""Mixing matrix of Bone Soup (arXiv 2502.10762) and the coefficients that follow from it.

Backbone j is trained on the rewards weighted by row j of B = (beta - gamma) I + gamma 11^T with
gamma = (1 - beta) / (m - 1). The soup's coefficients c solve B^T c = mu.
"""

from __future__ import annotations

import numpy as np

from paretosteer.errors import UsageError
from paretosteer.interfaces import Array


def check_beta(beta: float, objectives: int, argument: str) -> None:
    """Raise UsageError if B is singular, or gives a backbone's own objective the least weight."""
    if not 1 / objectives < beta <= 1:
        raise UsageError(
            f"{argument}: {beta} with {objectives} objectives makes the mixing matrix "
            f"singular or reversed; take a value above 1/{objectives} and at most 1"
        )


def mixing_matrix(objectives: int, beta: float) -> Array:
    """B = (beta - gamma) I + gamma 11^T, gamma = (1 - beta) / (m - 1), (m, m): rows sum to 1."""
    gamma = (1 - beta) / (objectives - 1)
    return (beta - gamma) * np.eye(objectives) + gamma


def coefficients(preferences: Array, beta: float) -> Array:
    """Solve B^T c = mu for every row of (k, m): c_i = (mu_i - gamma) / (beta - gamma)."""
    gamma = (1 - beta) / (preferences.shape[1] - 1)
    mapped: Array = (preferences - gamma) / (beta - gamma)
    return mapped
