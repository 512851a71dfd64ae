"""Win rate at equal preference: how often one method's answer is worth more than another's."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike

from paretosteer.metrics.input_checks import FloatArray, MetricError, as_finite, as_preferences


def win_rate(preferences: ArrayLike, a: ArrayLike, b: ArrayLike) -> float:
    """Share of prompts on which a's utility exceeds b's at the same preference, averaged over μ. ↑

    Equal utilities do not count as a win, so the rates of a over b and of b over a may sum to less
    than 1.
    Arguments as in `wins_by_prompt`.
    """
    return float(wins_by_prompt(preferences, a, b).mean())


def wins_by_prompt(preferences: ArrayLike, a: ArrayLike, b: ArrayLike) -> FloatArray:
    """Share of preferences at which a's ⟨μ, s⟩ exceeds b's, for each prompt.

    Parameters
    ----------
    preferences
        (k, m).
    a, b
        (k, P, m), scores of both methods on the same prompts, samples of a prompt averaged.

    Returns
    -------
    FloatArray
        (P,).
    """
    weights = as_preferences(preferences)
    first, second = as_finite(a, "a"), as_finite(b, "b")
    if first.ndim != 3 or first.shape[::2] != weights.shape or second.shape != first.shape:
        raise MetricError(
            f"b: has shape {second.shape} where a has {first.shape}, for preferences "
            f"{weights.shape}; give (points, prompts, objectives) of the same prompts in both"
        )
    # The sign of the difference: exactly 0 for equal scores.
    gain = np.einsum("km,kpm->kp", weights, first - second)
    return np.asarray((gain > 0).mean(axis=0), dtype=np.float64)
