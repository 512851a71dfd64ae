"""Quality at equal drift from the start model. The KL itself: `paretosteer.policies.kl`."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike

from paretosteer.metrics.input_checks import FloatArray, as_points, as_vector
from paretosteer.metrics.volume import hypervolume


def quality_at_equal_drift(
    points: ArrayLike,
    kl: ArrayLike,
    thresholds: ArrayLike,
    reference: ArrayLike,
    exact: bool | None = None,
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
    exact
        As in `hypervolume`.

    Returns
    -------
    FloatArray
        (t,).
    """
    array = as_points(points)
    drifts = as_vector(kl, "kl", length=len(array))
    # (t,) how many are below each; several thresholds may have the same points below them.
    counts = np.searchsorted(np.sort(drifts), as_vector(thresholds, "thresholds"))
    nearest = array[np.argsort(drifts, kind="stable")]
    known = {
        n: hypervolume(nearest[:n], reference, exact) if n else 0.0 for n in set(counts.tolist())
    }
    return np.array([known[n] for n in counts.tolist()])
