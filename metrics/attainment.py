"""Empirical attainment: the region that a share of replicates reaches. Higher is better."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike

from paretosteer.metrics.input_checks import FloatArray, MetricError, as_batch


def attainment_surface(points: ArrayLike, share: float) -> FloatArray:
    """Corners of the region that at least a share of the sets attain, in two objectives.

    A set attains the region that its points weakly dominate (Grunert da Fonseca et al. 2001; as
    quantiles of fronts: López-Ibáñez et al. 2010). Share 0.5 is the median front; a surface need
    not be any one set's front.

    Parameters
    ----------
    points
        (r, k, 2), one set per replicate.
    share
        Above 0 and at most 1; rounded up to whole sets.

    Returns
    -------
    FloatArray
        (n, 2), ascending in the first objective, descending in the second.
    """
    import moocore

    array = as_batch(points)
    if array.ndim != 3 or array.shape[2] != 2:
        raise MetricError(
            f"points: have shape {array.shape}; give sets of two objectives, (sets, points, 2)"
        )
    if not 0 < share <= 1:
        raise MetricError(f"share: is {share}; give a share of the sets above 0 and at most 1")
    sets = np.repeat(np.arange(len(array)), array.shape[1])
    # moocore minimises, and its last column is the percentile.
    found = moocore.eaf(-array.reshape(-1, 2), sets, percentiles=[100 * share])
    corners: FloatArray = -found[:, :2]
    return corners[np.argsort(corners[:, 0])]
