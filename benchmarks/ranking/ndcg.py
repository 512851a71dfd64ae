"""NDCG with graded labels; tied documents count with their expectation over tie orders."""

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
    """Normalised discounted cumulative gain at `cutoff`, ranking by descending score.

    DCG sums (2^label - 1) / log2(1 + rank) over ranks 1 ... cutoff (Järvelin and Kekäläinen,
    2002); NDCG divides it by the DCG of the ideal ranking. For documents with equal scores we take
    the expectation over all their orders: each one gets the mean discount of the ranks that the
    tie covers, where ranks beyond the cutoff have discount 0 (McSherry and Najork, 2008).

    Parameters
    ----------
    scores
        (rows, D), higher ranks first; infinite scores are allowed.
    labels
        (rows, D), or (rows, D, m) for m objectives; 0 or above.
    mask
        (rows, D), False at padding, where scores and labels are ignored.
    cutoff
        Number of ranks that count, 1 or more.

    Returns
    -------
    (rows,) or (rows, m), from 0 to 1; NaN in rows in which a document has score NaN.

    Raises
    ------
    ValueError
        If an objective has no positive label in some row, where NDCG is undefined.

    """
    present = mask.reshape(mask.shape + (1,) * (labels.ndim - 2))  # (rows, D) or (rows, D, 1)
    gains = np.where(present, np.exp2(labels) - 1, 0.0)  # as labels
    _check_positive(gains)
    discount = np.zeros(scores.shape[1])
    discount[:cutoff] = 1 / np.log2(2 + np.arange(len(discount[:cutoff])))
    ideal = np.sort(gains, axis=1)[:, ::-1]
    best = np.einsum("d,rd...->r...", discount, ideal)
    dcg = np.einsum("rd,rd...->r...", _mean_discounts(scores, mask, discount), gains)
    # Both sums run in different orders, so rounding can put the ratio just above 1.
    values: Floats = np.minimum(dcg / best, 1.0)
    values[(np.isnan(scores) & mask).any(axis=1)] = np.nan
    return values


def _mean_discounts(
    scores: npt.NDArray[np.floating], mask: npt.NDArray[np.bool_], discount: Floats
) -> Floats:
    """Discount of each document, (rows, D): the mean over the ranks of its tie."""
    order = np.lexsort((-scores, ~mask))  # (rows, D), padding last
    ranked = np.take_along_axis(scores, order, axis=1)
    real = np.take_along_axis(mask, order, axis=1)
    first = np.ones(scores.shape, dtype=bool)  # True where a tie starts
    first[:, 1:] = (ranked[:, 1:] != ranked[:, :-1]) | ~real[:, 1:]
    # Ties never cross rows, so all rows can be reduced as one flat array.
    starts = np.flatnonzero(first)
    sizes = np.diff(starts, append=first.size)
    flat = np.broadcast_to(discount, scores.shape).ravel()
    means = np.repeat(np.add.reduceat(flat, starts) / sizes, sizes).reshape(scores.shape)
    discounts: Floats = np.empty(scores.shape)
    np.put_along_axis(discounts, order, means, axis=1)
    return discounts


def _check_positive(gains: Floats) -> None:
    """Raise ValueError if some row has no positive gain; gains are (rows, D) or (rows, D, m)."""
    missing = np.argwhere(~(gains > 0).any(axis=1))  # (n, 1) or (n, 2)
    if len(missing):
        row, *objective = missing[0].tolist()
        where = f"row {row}, objective {objective[0]}" if objective else f"row {row}"
        raise ValueError(f"ndcg: {where} has no positive label; leave such queries out")
