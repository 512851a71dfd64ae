"""Bag-of-words baseline for reward models: logistic regression on word counts.

This is a Bradley–Terry model whose reward is linear in the word counts of the answer. The prompt
cancels, so the features of a pair are the differences of its counts. The only hyperparameter is
the strength of the L2 penalty.

The baseline that a reward model must beat uses penalty 1, the default of scikit-learn's
`LogisticRegression`. With a cross-validated penalty the same features are much stronger on small
data; a reward model from scratch starts there, and its accuracy is reported beside the baseline.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Hashable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

import numpy as np
from numpy.typing import NDArray

from paretosteer.text.pairs import Pair

Floats = NDArray[np.float64]
Unit = TypeVar("Unit", bound=Hashable)
Progress = Callable[[str], None]  # takes a few words on where the work is

_WORD = re.compile(r"[^\W\d_]+(?:['’][^\W\d_]+)*|\d+|[^\w\s]")  # words, numbers, punctuation
# Strongest first: each fit starts from the solution under the previous penalty.
_PENALTIES = tuple(float(value) for value in 10.0 ** np.arange(4, -2.5, -0.5))
_FOLDS = 5
_UNTUNED = 1.0


@dataclass(frozen=True)
class BagOfWords(Generic[Unit]):
    """Weights of words or other units of text, and the penalty with which they were fitted."""

    weights: Mapping[Unit, float]
    penalty: float
    units: Callable[[str], Sequence[Unit]]

    def margins(self, pairs: Sequence[Pair]) -> Floats:
        """Logit of `chosen` beating `rejected`, (pairs,)."""
        return np.array([self._reward(p.chosen) - self._reward(p.rejected) for p in pairs])

    def _reward(self, answer: str) -> float:
        return sum(self.weights.get(unit, 0.0) for unit in self.units(answer))


def words(text: str) -> list[str]:
    """Lower-cased words, numbers and punctuation marks of a text."""
    return _WORD.findall(text.lower())


def fit_bag_of_words(pairs: Sequence[Pair]) -> BagOfWords[str]:
    """Fit the baseline with the default penalty."""
    vocabulary: dict[str, int] = {}
    counts = _differences(pairs, words, vocabulary)
    solution = _fit(counts, _UNTUNED, np.zeros(counts.shape[1]))
    return BagOfWords(dict(zip(vocabulary, solution.tolist(), strict=True)), _UNTUNED, words)


def fit_tuned_bag_of_words(
    pairs: Sequence[Pair], progress: Progress | None = None
) -> BagOfWords[str]:
    """Fit the baseline with a penalty chosen by cross-validation over prompts."""
    return fit_linear(pairs, words, progress)


def fit_linear(
    pairs: Sequence[Pair],
    units: Callable[[str], Sequence[Unit]],
    progress: Progress | None = None,
) -> BagOfWords[Unit]:
    """Fit a weight per unit of text; five-fold cross-validated log loss chooses the penalty."""
    if progress:
        progress(f"counting words of {len(pairs)} pairs")
    vocabulary: dict[Unit, int] = {}
    counts = _differences(pairs, units, vocabulary)
    solution, penalty = fit_differences(counts, [pair.key for pair in pairs], progress)
    weights = dict(zip(vocabulary, solution.tolist(), strict=True))
    return BagOfWords(weights, penalty, units)


def fit_differences(
    differences: Any, keys: Sequence[str], progress: Progress | None = None
) -> tuple[Floats, float]:
    """Weights (features,) of a Bradley-Terry model, and the penalty that cross-validation chose.

    `differences` (pairs, features), dense or sparse, are features of `chosen` minus those of
    `rejected`; pairs with one key share a fold.
    """
    folds = _folds(keys)
    losses = np.zeros(len(_PENALTIES))
    for fold in np.unique(folds):
        losses += _held_out_losses(differences, folds == fold, fold, progress)
    best = int(np.argmin(losses))
    solution = np.zeros(differences.shape[1])
    for penalty in _PENALTIES[: best + 1]:
        solution = _fit(differences, penalty, solution)
    return solution, _PENALTIES[best]


def _differences(
    pairs: Sequence[Pair], units: Callable[[str], Sequence[Unit]], vocabulary: dict[Unit, int]
) -> Any:
    """Counts in `chosen` minus counts in `rejected`, sparse (pairs, units); fills `vocabulary`."""
    from scipy.sparse import csr_matrix

    entries = [
        (row, vocabulary.setdefault(unit, len(vocabulary)), sign)
        for row, pair in enumerate(pairs)
        for text, sign in ((pair.chosen, 1.0), (pair.rejected, -1.0))
        for unit in units(text)
    ]
    rows, columns, signs = zip(*entries, strict=True)
    # `csr_matrix` sums duplicate entries.
    return csr_matrix((signs, (rows, columns)), shape=(len(pairs), len(vocabulary)))


def _folds(keys: Sequence[str]) -> NDArray[np.int64]:
    """Fold of each pair, (pairs,); all pairs of a prompt share a fold."""
    _, prompts = np.unique(keys, return_inverse=True)
    shuffled = np.random.default_rng(0).permutation(prompts.max() + 1)
    return shuffled[prompts] % _FOLDS


def _held_out_losses(
    counts: Any, held_out: NDArray[np.bool_], fold: int, progress: Progress | None
) -> Floats:
    """Summed log loss on the held-out fold under each penalty, (penalties,)."""
    losses, solution = [], np.zeros(counts.shape[1])
    for penalty in _PENALTIES:
        if progress:
            progress(f"bag of words, fold {fold + 1} of {_FOLDS}, penalty {penalty:g}")
        solution = _fit(counts[~held_out], penalty, solution)
        losses.append(np.logaddexp(0, -(counts[held_out] @ solution)).sum())
    return np.array(losses)


def _fit(counts: Any, penalty: float, start: Floats) -> Floats:
    """Minimise Σ log(1 + exp(-Xw)) + penalty/2 |w|² over w, (words,), starting at `start`."""
    from scipy.optimize import minimize
    from scipy.special import expit
    from threadpoolctl import threadpool_limits

    def loss(weights: Floats) -> tuple[float, Floats]:
        margins = counts @ weights
        value = np.logaddexp(0, -margins).sum() + 0.5 * penalty * weights @ weights
        return value, penalty * weights - counts.T @ expit(-margins)

    # The vectors are short, so BLAS threads only wait for each other: up to 100 times slower on a
    # busy machine.
    with threadpool_limits(1, user_api="blas"):
        return minimize(loss, start, jac=True, method="L-BFGS-B", options={"maxiter": 1000}).x
