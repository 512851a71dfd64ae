"""The bag-of-words baseline that a reward model must beat: logistic regression on word counts.

A Bradley–Terry model whose reward is linear in the counts of an answer's words, so that the prompt
cancels and the difference of two answers' counts is all that matters. Its one setting is the
strength of the L2 penalty. The baseline of the check leaves that at 1, the default of
scikit-learn's `LogisticRegression`: nothing is tuned. With the penalty chosen by cross-validation
the same features are a far better model on few pairs, and what a reward model from scratch starts
as; how good that is stands beside the baseline wherever figures are told.
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

_WORD = re.compile(r"[^\W\d_]+(?:['’][^\W\d_]+)*|\d+|[^\w\s]")  # words, numbers, punctuation
_PENALTIES = tuple(float(value) for value in 10.0 ** np.arange(4, -2.5, -0.5))  # strongest first
_FOLDS = 5
_UNTUNED = 1.0


@dataclass(frozen=True)
class BagOfWords(Generic[Unit]):
    """A weight per word (or other unit of text), and the penalty under which it was fitted."""

    weights: Mapping[Unit, float]
    penalty: float
    units: Callable[[str], Sequence[Unit]]

    def margins(self, pairs: Sequence[Pair]) -> Floats:
        """Logit of `chosen` beating `rejected` under the model. # (pairs,)"""
        return np.array([self._reward(p.chosen) - self._reward(p.rejected) for p in pairs])

    def _reward(self, answer: str) -> float:
        return sum(self.weights.get(unit, 0.0) for unit in self.units(answer))


def words(text: str) -> list[str]:
    """Words, numbers and punctuation marks of a text in lower case."""
    return _WORD.findall(text.lower())


def fit_bag_of_words(pairs: Sequence[Pair]) -> BagOfWords[str]:
    """The baseline on these pairs: nothing tuned."""
    known: dict[str, int] = {}
    counts = _differences(pairs, words, known)
    solution = _fit(counts, _UNTUNED, np.zeros(counts.shape[1]))
    return BagOfWords(dict(zip(known, solution.tolist(), strict=True)), _UNTUNED, words)


def fit_tuned_bag_of_words(pairs: Sequence[Pair]) -> BagOfWords[str]:
    """The same features under the penalty that cross-validation chooses, folded by prompt."""
    return fit_linear(pairs, words)


def fit_linear(pairs: Sequence[Pair], units: Callable[[str], Sequence[Unit]]) -> BagOfWords[Unit]:
    """A weight per unit of text, the penalty chosen by five-fold cross-validated log loss."""
    known: dict[Unit, int] = {}
    counts = _differences(pairs, units, known)
    folds = _folds([pair.key for pair in pairs])
    losses = sum(_held_out_losses(counts, folds == fold) for fold in np.unique(folds))
    best = int(np.argmin(losses))
    solution = np.zeros(counts.shape[1])
    for penalty in _PENALTIES[: best + 1]:
        solution = _fit(counts, penalty, solution)
    weights = dict(zip(known, solution.tolist(), strict=True))
    return BagOfWords(weights, _PENALTIES[best], units)


def _differences(
    pairs: Sequence[Pair], units: Callable[[str], Sequence[Unit]], known: dict[Unit, int]
) -> Any:
    """Counts in `chosen` less counts in `rejected`; units join `known`. # (pairs, units), sparse"""
    from scipy.sparse import csr_matrix

    entries = [
        (row, known.setdefault(unit, len(known)), sign)
        for row, pair in enumerate(pairs)
        for text, sign in ((pair.chosen, 1.0), (pair.rejected, -1.0))
        for unit in units(text)
    ]
    rows, columns, signs = zip(*entries, strict=True)
    return csr_matrix((signs, (rows, columns)), shape=(len(pairs), len(known)))  # sums repetitions


def _folds(keys: Sequence[str]) -> NDArray[np.int64]:
    """Fold of each pair; pairs of one prompt share it. # (pairs,)"""
    _, prompts = np.unique(keys, return_inverse=True)
    shuffled = np.random.default_rng(0).permutation(prompts.max() + 1)
    return shuffled[prompts] % _FOLDS


def _held_out_losses(counts: Any, held_out: NDArray[np.bool_]) -> Floats:
    """Summed log loss on the held-out fold under each penalty. # (penalties,)"""
    losses, solution = [], np.zeros(counts.shape[1])
    for penalty in _PENALTIES:
        solution = _fit(counts[~held_out], penalty, solution)
        losses.append(np.logaddexp(0, -(counts[held_out] @ solution)).sum())
    return np.array(losses)


def _fit(counts: Any, penalty: float, start: Floats) -> Floats:
    """Weights that minimise Σ log(1 + exp(-Xw)) + penalty/2 |w|². # (words,)"""
    from scipy.optimize import minimize
    from scipy.special import expit
    from threadpoolctl import threadpool_limits

    def loss(weights: Floats) -> tuple[float, Floats]:
        margins = counts @ weights
        value = np.logaddexp(0, -margins).sum() + 0.5 * penalty * weights @ weights
        return value, penalty * weights - counts.T @ expit(-margins)

    # Vectors are short: on busy cores BLAS threads wait for each other a hundred times longer.
    with threadpool_limits(1, user_api="blas"):
        return minimize(loss, start, jac=True, method="L-BFGS-B", options={"maxiter": 1000}).x
