"""Tchebycheff scalarisation: learn on the objective that falls furthest short, by its weight.

    minimise max_i w_i (shortfall of objective i),

which reaches concave parts of a front too. The gradient is that of the largest term alone, so each
batch is an ordinary one with the weights w_i at i = argmax_j w_j shortfall_j and 0 elsewhere.

Reward feedback: the shortfall is ideal - (E z_i - kappa KL), with one ideal value for all
objectives, in standard deviations of the start model. The KL is thereby weighted by w_i, too.
Preference feedback: L_i minus the entropy of its labels, the least value that L_i can have.

Expectations are means over the prompts of a batch that share one draw of weights. Draw once per
batch (`one_per_batch`) for the best estimates. A batch in parts takes the maximum in each part.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
from torch import Tensor

from paretosteer.benchmark import Benchmark
from paretosteer.interfaces import Array
from paretosteer.training.draws import Draws
from paretosteer.training.feedback import (
    Batch,
    Expectation,
    Feedback,
    FeedbackTrainer,
    Preference,
    Reward,
)

IDEAL = 3.0  # deviations above the start model that every objective aspires to


class _Furthest(Feedback):
    """Reward feedback on the objective with the largest weighted distance from its ideal value."""

    ideal = IDEAL
    kappa: float

    @classmethod
    def of(cls, benchmark: Benchmark, options: Any, trainer: FeedbackTrainer) -> Feedback:
        """As the feedback that it changes, with the option `ideal` if the method has it."""
        feedback = super().of(benchmark, options, trainer)
        assert isinstance(feedback, _Furthest)
        feedback.ideal = getattr(options, "ideal", IDEAL)
        return feedback

    def scalarise(self, draws: Draws, z: Array, kl: Array) -> Draws:
        """Weights of the active objectives, and KL coefficients in proportion."""
        return furthest(draws, z, kl, self.ideal, self.kappa)


class TchebycheffExpectation(_Furthest, Expectation):
    """Exact form of `TchebycheffReward`."""


class TchebycheffReward(_Furthest, Reward):
    """Policy gradient of the objective with the largest weighted distance from its ideal value."""

    exact = TchebycheffExpectation


class TchebycheffPreference(Preference):
    """Listwise DPO on the objective with the largest weighted excess over its labels' entropy."""

    def aggregate(self, losses: Tensor, batch: Batch, draws: Draws) -> Tensor:
        """Mean over lists of the active objective's weighted excess."""
        assert batch.lists is not None
        excess = losses - entropy(batch.lists.labels.to(losses.device))  # (lists, m)
        shortfall: Array = excess.detach().cpu().double().numpy()
        weights = active(draws.weights, shortfall)
        return super().aggregate(excess, batch, replace(draws, weights=weights))


def furthest(draws: Draws, z: Array, kl: Array, ideal: float, kappa: float) -> Draws:
    """Draws with the active objective's weight alone, for rewards (n, m) and KL (n,)."""
    price = kappa if draws.kappa is None else draws.kappa
    shortfall = ideal - (z - (price * kl)[:, None])
    weights = active(draws.weights, shortfall)
    return Draws(weights, price * weights.sum(axis=1), draws.temperatures)


def active(weights: Array, shortfall: Array) -> Array:
    """Weights (n, m) without all but the objective of the largest weighted shortfall (n, m).

    Rows of equal weights share one expectation, the mean over them.
    """
    unique, group = np.unique(weights, axis=0, return_inverse=True)
    group = group.ravel()
    means = np.stack([shortfall[group == i].mean(axis=0) for i in range(len(unique))])
    chosen = (unique * means).argmax(axis=1)[group]  # (n,)
    return weights * np.eye(weights.shape[1])[chosen]


def entropy(labels: Tensor) -> Tensor:
    """Least cross-entropy (lists, m) of labels (lists, n, m), which may sum to other than 1."""
    total = labels.sum(dim=1, keepdim=True)
    share = labels / total.clamp_min(1e-12)
    return -(labels * share.clamp_min(1e-12).log()).sum(dim=1)
