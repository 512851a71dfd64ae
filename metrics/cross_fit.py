"""Steering regret without the winner's curse: the best is chosen on one half of the prompts."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
from numpy.typing import ArrayLike

from paretosteer.metrics.input_checks import FloatArray, MetricError, as_finite, as_preferences
from paretosteer.metrics.utility import steering_regret

SPLITS = 20

# Utilities that differ by less than this share are equal, and a point is then not exchanged.
_ROUNDING = 1e-12


def cross_fitted_regret(preferences: ArrayLike, scores: ArrayLike) -> float:
    """Steering regret, cross-fitted over the prompts. Arguments as in `gains_by_prompt`.

    The largest of several noisy means is too large, so the regret of noisy points
    (`steering_regret`) is biased upwards. Here the best own point is chosen on one half of the
    prompts and its gain measured on the other. Some bias remains, downwards: noise may choose a
    point that is not the best, so the estimate may even be slightly negative.
    """
    return float(gains_by_prompt(preferences, scores).mean())


def gains_by_prompt(
    preferences: ArrayLike, scores: ArrayLike, splits: int = SPLITS, seed: int = 0
) -> FloatArray:
    """Utility that each prompt gains by the method's best own points instead of those offered.

    The best points are chosen without the prompt, on the half of each random split that does not
    contain it (Chernozhukov et al. 2018); mean over splits and preferences. The splits depend on
    the number of prompts and the seed alone, so different methods have the same.

    Parameters
    ----------
    preferences
        (k, m).
    scores
        (k, P, m), samples of a prompt already averaged. With a single prompt, which cannot be
        split, the choice is made on that prompt.

    Returns
    -------
    FloatArray
        (P,), in the units of the objectives.
    """
    weights, array = as_preferences(preferences), as_finite(scores, "scores")
    if array.ndim != 3 or array.shape[::2] != weights.shape:
        raise MetricError(
            f"scores: have shape {array.shape} for preferences {weights.shape}; "
            "give (points, prompts, objectives), one point per preference"
        )
    prompts = array.shape[1]
    if prompts == 1:
        return np.array([steering_regret(weights, array[:, 0])])
    gains = np.zeros(prompts)
    for half in _halves(prompts, splits, seed):  # (P,) boolean
        means = np.tensordot(half / half.sum(), array, axes=(0, 1))  # (k, m)
        exchanged = _exchange(weights, means)  # (k, m)
        gains[~half] += np.tensordot(exchanged, array[:, ~half], axes=([0, 1], [0, 2]))
    return gains / (splits * len(weights))


def _halves(prompts: int, splits: int, seed: int) -> npt.NDArray[np.bool_]:
    """Halves (2 · splits, P): every prompt is outside exactly one half of each split."""
    rng = np.random.default_rng(seed)
    ranks = rng.permuted(np.tile(np.arange(prompts), (splits, 1)), axis=1)
    first = ranks < prompts // 2
    return np.concatenate([first, ~first])


def _exchange(weights: FloatArray, means: FloatArray) -> FloatArray:
    """Coefficients (k, m) of the points in the summed gain of always offering the best point."""
    utilities = weights @ means.T  # (k, k), of every preference with every point
    own = np.diag(utilities)
    best = utilities.argmax(axis=1)
    better = utilities.max(axis=1) - own > _ROUNDING * np.abs(utilities).max()
    exchanged = np.zeros_like(weights)
    np.add.at(exchanged, best[better], weights[better])
    exchanged[better] -= weights[better]
    return exchanged
