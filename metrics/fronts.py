"""Nondominated points and the shape of fronts. Higher is better."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
from numpy.typing import ArrayLike

from paretosteer.metrics.input_checks import FloatArray, as_measured, as_points, as_reference


def nondominated(points: ArrayLike, distinct: bool = False) -> npt.NDArray[np.bool_]:
    """Mark the points that no other point dominates.

    Dominance is exact, without a tolerance: at least as good in every objective and better
    in one. Equal points do not dominate each other, so duplicates of a front's point all stay.

    Parameters
    ----------
    points
        (k, m).
    distinct
        Mark only the first of equal points.

    Returns
    -------
    npt.NDArray[np.bool_]
        Mask (k,).
    """
    import moocore

    array = as_points(points)
    mask = moocore.is_nondominated(array, maximise=True, keep_weakly=not distinct)
    return np.asarray(mask, dtype=bool)


def front_size(points: ArrayLike) -> int:
    """Count the distinct nondominated points of (k, m). Shown only: more are not better.

    Points that are equal in every objective count once, so a method that never moves has one.
    """
    return int(nondominated(points, distinct=True).sum())


def points_outside(points: ArrayLike, reference: ArrayLike) -> int:
    """Count the points that contribute no hypervolume: not above the reference in every objective.

    Parameters
    ----------
    points
        (k, m).
    reference
        (m,).
    """
    array = as_points(points)
    above = array > as_reference(reference, array.shape[1])
    return int((~above.all(axis=1)).sum())


def igd_plus(points: ArrayLike, front: ArrayLike) -> float:
    """Mean distance from a front's points to the nearest region that `points` dominate. ↓

    Only the objectives in which a point falls short count towards a distance, in the units of
    the objectives (IGD+, Ishibuchi et al. 2015).

    Parameters
    ----------
    points
        (k, m).
    front
        (n, m): the oracle's points, or the union front (the value is then empirical).
    """
    import moocore

    array = as_points(points)
    target = as_points(front, "front", objectives=array.shape[1])
    return float(moocore.igd_plus(array, ref=target, maximise=True))


def additive_epsilon(points: ArrayLike, front: ArrayLike) -> float:
    """Smallest shift of all objectives by which `points` weakly dominate a whole front. ↓

    ε = max over the front, min over points, max over objectives of front − point, in the units
    of the objectives (Zitzler et al. 2003). Negative where the points are beyond the front.

    Parameters
    ----------
    points
        (k, m).
    front
        (n, m).
    """
    import moocore

    array = as_points(points)
    target = as_points(front, "front", objectives=array.shape[1])
    return float(moocore.epsilon_additive(array, ref=target, maximise=True))


def sparsity(points: ArrayLike) -> float:
    """Mean squared gap between neighbours on the front, summed over objectives. Shown only.

    Neighbours are the front's points sorted per objective (Xu et al. 2020); 0 for one point.

    Parameters
    ----------
    points
        (k, m); their nondominated points make the front.
    """
    front = _front(points)
    if len(front) == 1:
        return 0.0
    gaps = np.diff(np.sort(front, axis=0), axis=0)  # (n - 1, m)
    with np.errstate(over="ignore"):  # refused
        return float(as_measured(np.square(gaps).mean(axis=0).sum(), "sparsity"))


def spacing(points: ArrayLike) -> float:
    """Standard deviation of the distances to the nearest neighbour on the front. Shown only.

    City-block distances and n − 1 in the denominator, as in Schott 1995; 0 for one point.

    Parameters
    ----------
    points
        (k, m); their nondominated points make the front.
    """
    front = _front(points)
    if len(front) == 1:
        return 0.0
    distances = np.abs(front[:, None] - front).sum(axis=2)  # (n, n)
    np.fill_diagonal(distances, np.inf)
    return float(distances.min(axis=1).std(ddof=1))


def _front(points: ArrayLike) -> FloatArray:
    array = as_points(points)
    return array[nondominated(array)]
