"""How well a reward model orders pairs that it was not trained on."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from paretosteer.text.pairs import Pair
from paretosteer.text.rewards.reward_model import RewardModel

Floats = NDArray[np.float64]

_BINS = 10


@dataclass(frozen=True)
class RewardFacts:
    """Held-out figures of a trained reward model, and those of bags of words beside it.

    `baseline_accuracy` is of one with nothing tuned, `tuned_baseline_accuracy` of one whose penalty
    was chosen by cross-validation.
    `ece` is the expected calibration error of P(chosen beats rejected) = sigmoid(margin), `slope`
    what the margins must be multiplied by to fit best: below 1, the model is too sure of itself.
    """

    train_pairs: int
    held_out_pairs: int
    accuracy: float
    baseline_accuracy: float
    tuned_baseline_accuracy: float
    log_loss: float
    ece: float
    slope: float
    margin: float  # mean of r(chosen) − r(rejected)
    epochs: int  # of the weights kept; 0 is where training started
    truncated: int  # held-out texts that were cut


def margins_of(model: RewardModel, pairs: Sequence[Pair]) -> Floats:
    """r(chosen) − r(rejected). # (pairs,)"""
    prompts = [pair.prompt for pair in pairs]
    scores = model.score(prompts * 2, [*(p.chosen for p in pairs), *(p.rejected for p in pairs)])
    return scores[: len(pairs)] - scores[len(pairs) :]


def accuracy(margins: Floats) -> float:
    """Share of pairs in the right order, a tie counting half."""
    return float(np.mean((margins > 0) + 0.5 * (margins == 0)))


def log_loss(margins: Floats) -> float:
    """Mean of −log sigmoid(margin)."""
    return float(np.logaddexp(0.0, -margins).mean())


def calibration_error(margins: Floats) -> float:
    """Expected calibration error of the surer side's probability, ten equal bins of [0.5, 1].

    Guo et al., arXiv 1706.04599: Σ share of the bin · |share right in it − mean probability in it|.
    """
    sure = 1.0 / (1.0 + np.exp(-np.abs(margins)))
    right = (margins > 0) + 0.5 * (margins == 0)
    bins = np.minimum(((sure - 0.5) * 2 * _BINS).astype(int), _BINS - 1)
    gaps = np.bincount(bins, right - sure, minlength=_BINS)
    return float(np.abs(gaps).sum() / len(margins))


def slope(margins: Floats) -> float:
    """The factor on the margins, within 0.001 to 1000, under which their log loss is smallest."""
    from scipy.optimize import minimize_scalar

    loss = lambda power: log_loss(10.0**power * margins)  # noqa: E731
    return float(10.0 ** minimize_scalar(loss, bounds=(-3, 3), method="bounded").x)
