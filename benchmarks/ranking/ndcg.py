"""NDCG, the quality of a ranking by graded labels, with ties as the expectation that they are."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]


def ndcg(
    scores: npt.NDArray[np.floating],
    labels: npt.NDArray[np.integer],
    mask: npt.NDArray[np.bool_],
    cutoff: int = 10,
) -> Floats:
    """Normalised discounted cumulative gain at `cutoff` of rankings by falling score.

    DCG adds (2^label - 1) / log2(1 + rank) over the documents of rank 1 ... cutoff (Järvelin and
    Kekäläinen, 2002); NDCG divides it by the DCG of the documents ordered by label. Documents with
    equal scores may stand in any order, so DCG is its expectation over all of these orders: each
    document of a tie counts the mean discount of the ranks that the tie covers, 0 beyond the cutoff
    (McSherry and Najork, 2008).

    Parameters
    ----------
    scores
        (rows, D), higher first; infinite ones are fine.
    labels
        (rows, D), or (rows, D, m) for m objectives; 0 or above.
    mask
        (rows, D), False at padding, where scores and labels mean nothing.
    cutoff
        Ranks that count, 1 or more.

    Returns
    -------
    (rows,) or (rows, m), each from 0 to 1; NaN in a row in which a document's score is NaN.

    Raises
    ------
    ValueError
        If an objective has no positive label in some row: NDCG has no value there.

    """
    present = mask.reshape(mask.shape + (1,) * (labels.ndim - 2))  # (rows, D) or (rows, D, 1)
    gains = np.where(present, np.exp2(labels) - 1, 0.0)  # as labels
    _check_positive(gains)
    discount = np.zeros(scores.shape[1])
    discount[:cutoff] = 1 / np.log2(2 + np.arange(len(discount[:cutoff])))
    ideal = np.sort(gains, axis=1)[:, ::-1]
    best = np.einsum("d,rd...->r...", discount, ideal)
    got = np.einsum("rd,rd...->r...", _mean_discounts(scores, mask, discount), gains)
    values: Floats = np.minimum(got / best, 1.0)  # sums in two orders may differ in the last digit
    values[(np.isnan(scores) & mask).any(axis=1)] = np.nan
    return values


def _mean_discounts(
    scores: npt.NDArray[np.floating], mask: npt.NDArray[np.bool_], discount: Floats
) -> Floats:
    """Each document's discount (rows, D), the mean over the ranks of its tie."""
    order = np.lexsort((-scores, ~mask))  # (rows, D), padding last
    ranked = np.take_along_axis(scores, order, axis=1)
    real = np.take_along_axis(mask, order, axis=1)
    first = np.ones(scores.shape, dtype=bool)  # the first of its tie
    first[:, 1:] = (ranked[:, 1:] != ranked[:, :-1]) | ~real[:, 1:]
    starts = np.flatnonzero(first)
    sizes = np.diff(starts, append=first.size)
    flat = np.broadcast_to(discount, scores.shape).ravel()
    means = np.repeat(np.add.reduceat(flat, starts) / sizes, sizes).reshape(scores.shape)
    discounts: Floats = np.empty(scores.shape)
    np.put_along_axis(discounts, order, means, axis=1)
    return discounts


def _check_positive(gains: Floats) -> None:
    """Gains (rows, D) or (rows, D, m) must have a positive one per row and objective."""
    missing = np.argwhere(~(gains > 0).any(axis=1))  # (found, 1) or (found, 2)
    if len(missing):
        row, *objective = missing[0].tolist()
        where = f"row {row}, objective {objective[0]}" if objective else f"row {row}"
        raise ValueError(f"ndcg: {where} has no positive label; leave such queries out")
