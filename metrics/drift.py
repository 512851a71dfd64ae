"""Drift: the cost of reward in distance from the start model and in diversity."""

from collections.abc import Iterator, Sequence

import numpy as np
import numpy.typing as npt

from paretosteer.metrics.input_checks import FloatArray, MetricError, as_points, as_vector
from paretosteer.metrics.volume import hypervolume


def quality_at_equal_drift(
    points: npt.ArrayLike,
    kl: npt.ArrayLike,
    thresholds: npt.ArrayLike,
    reference: npt.ArrayLike,
) -> FloatArray:
    """Hypervolume of the points whose KL is below each threshold; 0 where none is. ↑

    Parameters
    ----------
    points
        (k, m).
    kl
        (k,), nats per sample.
    thresholds
        (t,), nats per sample, common to all methods compared.
    reference
        (m,).

    Returns
    -------
    (t,).
    """
    array = as_points(points)
    drifts = as_vector(kl, "kl", length=len(array))
    # (t,) how many are below each; several thresholds may have the same points below them.
    counts = np.searchsorted(np.sort(drifts), as_vector(thresholds, "thresholds"))
    nearest = array[np.argsort(drifts, kind="stable")]
    known = {n: hypervolume(nearest[:n], reference) if n else 0.0 for n in set(counts.tolist())}
    return np.array([known[n] for n in counts.tolist()])


def distinct_n(texts: Sequence[str], n: int = 2) -> float:
    """Share of n-grams that are distinct, over all texts together (Li et al. 2016).

    Words are separated by white space; n-grams do not cross texts. 0 where no text has n
    words.
    """
    if isinstance(texts, str) or len(texts) == 0:
        raise MetricError("texts: found no list of texts; give at least one text in a list")
    if n < 1:
        raise MetricError(f"n: is {n}; give at least 1")
    grams = [gram for text in texts for gram in _ngrams(text.split(), n)]
    return len(set(grams)) / len(grams) if grams else 0.0


def _ngrams(words: list[str], n: int) -> Iterator[tuple[str, ...]]:
    return zip(*(words[start:] for start in range(n)), strict=False)
