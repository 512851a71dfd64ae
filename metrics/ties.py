"""Ranks of methods, and groups of methods that are tied: no test separates their members."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
from numpy.typing import ArrayLike

from paretosteer.metrics.input_checks import MetricError, as_finite
from paretosteer.metrics.resampling import LEVEL


def ranks(values: ArrayLike) -> npt.NDArray[np.int64]:
    """Rank along the first axis: 1 plus the number of methods that are strictly higher.

    Parameters
    ----------
    values
        (n, …), one row per method.

    Returns
    -------
    npt.NDArray[np.int64]
        (n, …); equal methods share the better rank.
    """
    array = as_finite(values, "values")
    if not array.ndim:
        raise MetricError("values: is one number; give one row per method")
    # Method by method, so that nothing of shape (n, n, …) is held.
    return np.stack([1 + (array > own).sum(axis=0) for own in array])


def rank_intervals(replicates: ArrayLike, level: float = LEVEL) -> npt.NDArray[np.int64]:
    """Percentile intervals of each method's rank over paired resamples.

    Parameters
    ----------
    replicates
        (n, b): a metric of n methods under the same b resamples, higher being better.
    level
        Confidence level, between 0 and 1.

    Returns
    -------
    npt.NDArray[np.int64]
        (n, 2): lowest (best) and highest rank, each a rank that was drawn.
    """
    if not 0 < level < 1:
        raise MetricError(f"level: is {level}; give a confidence level between 0 and 1")
    drawn = as_finite(replicates, "replicates")
    if drawn.ndim != 2:
        raise MetricError(f"replicates: have shape {drawn.shape}; give (methods, resamples)")
    tails = [(1 - level) / 2, (1 + level) / 2]
    return np.quantile(ranks(drawn), tails, axis=1, method="inverted_cdf").T.astype(np.int64)


def tie_groups(separated: ArrayLike) -> list[tuple[int, ...]]:
    """Compact letter display: methods share a group exactly if they do not differ significantly.

    A method may be in several groups, since being tied is not transitive. By insertion and
    absorption (Piepho 2004).

    Parameters
    ----------
    separated
        (n, n), symmetric, true where two methods differ significantly; false on the diagonal.

    Returns
    -------
    list[tuple[int, ...]]
        Groups of places, ascending in each and by their first places, none within another.
    """
    apart = np.asarray(separated, dtype=bool)
    if apart.ndim != 2 or (apart != apart.T).any() or apart.diagonal().any():
        raise MetricError(
            f"separated: of shape {apart.shape} is not symmetric with a false diagonal; "
            "give for every pair of methods whether they differ significantly"
        )
    groups = [frozenset(range(len(apart)))] if len(apart) else []
    for i, j in np.argwhere(np.triu(apart)).tolist():
        both = [group for group in groups if {i, j} <= group]
        split = [group - {place} for group in both for place in (i, j)]
        groups = _absorbed([*(group for group in groups if group not in both), *split])
    return sorted(tuple(sorted(group)) for group in groups)


def _absorbed(groups: Sequence[frozenset[int]]) -> list[frozenset[int]]:
    """Groups without repeats and without those that are subsets of another."""
    unlike = list(dict.fromkeys(groups))
    return [group for group in unlike if not any(group < other for other in unlike)]
