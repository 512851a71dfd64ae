"""Accuracy and calibration of a reward model on held-out pairs."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from paretosteer.text.dialogue import Dialogue
from paretosteer.text.pairs import Pair
from paretosteer.text.rewards.bag_of_words import (
    Progress,
    fit_bag_of_words,
    fit_tuned_bag_of_words,
)

Floats = NDArray[np.float64]

_BINS = 10


class Scorer(Protocol):
    """Reward model, as far as its accuracy depends on it."""

    def score(self, prompts: Sequence[Dialogue], answers: Sequence[str]) -> Floats:
        """Score per row, (rows,)."""
        ...


@dataclass(frozen=True)
class RewardFacts:
    """Held-out metrics of a reward model and of two bag-of-words baselines."""

    train_pairs: int
    held_out_pairs: int
    accuracy: float
    baseline_accuracy: float  # bag of words with the default penalty
    tuned_baseline_accuracy: float  # bag of words with a cross-validated penalty
    log_loss: float
    ece: float  # expected calibration error of P(chosen beats rejected) = sigmoid(margin)
    slope: float  # best multiplier of the margins; below 1, the model is overconfident
    margin: float  # mean of r(chosen) − r(rejected)
    epochs: int  # epoch of the selected weights; 0 is the start of training
    truncated: int  # number of held-out texts that were cut
    refused: int  # number of held-out pairs left out, since the chat template refuses them
    form: str  # input form
    logit: int | str  # index of the output


@dataclass(frozen=True)
class HeadFacts(RewardFacts):
    """Metrics of a linear head on a backbone, with 95% intervals over the held-out pairs."""

    penalty: float  # L2, chosen by cross-validation
    accuracy_low: float
    accuracy_high: float
    gain: float  # accuracy minus that of the bag of words with a cross-validated penalty
    gain_low: float
    gain_high: float


@dataclass(frozen=True)
class LoraFacts(HeadFacts):
    """Metrics of a head whose backbone has a LoRA, trained up to `epochs`."""

    rank: int
    steps: int  # optimiser steps in these epochs


def head_facts(
    margins: Floats,
    train: Sequence[Pair],
    held_out: Sequence[Pair],
    penalty: float,
    refused: int = 0,
    progress: Progress | None = None,
) -> HeadFacts:
    """Metrics of a head from its margins (pairs,) on `held_out`, beside bags of words."""
    tuned = fit_tuned_bag_of_words(train, progress).margins(held_out)
    own, gain = _correct(margins), _correct(margins) - _correct(tuned)
    return HeadFacts(
        train_pairs=len(train),
        held_out_pairs=len(held_out),
        accuracy=accuracy(margins),
        baseline_accuracy=accuracy(fit_bag_of_words(train).margins(held_out)),
        tuned_baseline_accuracy=accuracy(tuned),
        log_loss=log_loss(margins),
        ece=calibration_error(margins),
        slope=slope(margins),
        margin=float(margins.mean()),
        epochs=0,
        truncated=0,
        refused=refused,
        form="backbone",
        logit=0,
        penalty=penalty,
        accuracy_low=_limit(own, -1),
        accuracy_high=_limit(own, 1),
        gain=float(gain.mean()),
        gain_low=_limit(gain, -1),
        gain_high=_limit(gain, 1),
    )


def _limit(values: Floats, side: int) -> float:
    """Lower (-1) or upper (1) end of the 95% interval of a mean."""
    return float(values.mean() + side * 1.96 * values.std() / np.sqrt(len(values)))


def margins_of(model: Scorer, pairs: Sequence[Pair]) -> Floats:
    """Margins r(chosen) − r(rejected), (pairs,)."""
    prompts = [pair.prompt for pair in pairs]
    scores = model.score(prompts * 2, [*(p.chosen for p in pairs), *(p.rejected for p in pairs)])
    return scores[: len(pairs)] - scores[len(pairs) :]


def accuracy(margins: Floats) -> float:
    """Share of pairs in the right order; a tie counts half."""
    return float(np.mean(_correct(margins)))


def _correct(margins: Floats) -> Floats:
    """1 for each pair in the right order, 0.5 for a tie, (pairs,)."""
    correct: Floats = (margins > 0) + 0.5 * (margins == 0)
    return correct


def log_loss(margins: Floats) -> float:
    """Mean of −log sigmoid(margin)."""
    return float(np.logaddexp(0.0, -margins).mean())


def calibration_error(margins: Floats) -> float:
    """Expected calibration error (Guo et al., arXiv 1706.04599) with ten bins on [0.5, 1].

    The confidence is the probability of the side that the model prefers. The error is the mean of
    |accuracy − mean confidence| over bins, weighted by their size.
    """
    confidence = 1.0 / (1.0 + np.exp(-np.abs(margins)))
    correct = _correct(margins)
    bins = np.minimum(((confidence - 0.5) * 2 * _BINS).astype(int), _BINS - 1)
    gaps = np.bincount(bins, correct - confidence, minlength=_BINS)  # already times the bin's size
    return float(np.abs(gaps).sum() / len(margins))


def slope(margins: Floats) -> float:
    """Multiplier of the margins, from 0.001 to 1000, that minimises their log loss."""
    from scipy.optimize import minimize_scalar

    loss = lambda power: log_loss(10.0**power * margins)  # noqa: E731
    return float(10.0 ** minimize_scalar(loss, bounds=(-3, 3), method="bounded").x)
