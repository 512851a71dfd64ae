"""Oracle of a table: the exact Pareto front recorded by its cells, and regret against it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TypeAlias

import numpy as np
import numpy.typing as npt

from paretosteer.metrics.input_checks import FloatArray
from paretosteer.metrics.optimum import TOLERANCE, Optimum, learnable, regrets
from paretosteer.report.analysis.replicates import Replicate

Places: TypeAlias = npt.NDArray[np.intp]


@dataclass(frozen=True)
class Oracle:
    """Optimal points at the preferences of a table."""

    preferences: FloatArray  # (k, m)
    by_fold: Mapping[int | None, Optimum]  # key None without folds
    # Indices of the preferences at which the oracle beats the start model in every fold. At the
    # others there is nothing to gain, so regret is undefined.
    places: Places

    @property
    def mean(self) -> FloatArray:
        """Optimal points (k, m), averaged over folds."""
        return np.mean([optimum.points for optimum in self.by_fold.values()], axis=0)

    def regrets(self, points: FloatArray, fold: int | None) -> FloatArray:
        """Regret of a fold's points (k, m) at each of `places`, (n,)."""
        return regrets(points, self.preferences, self.by_fold[fold], self.places)


def common_oracle(
    replicates: Sequence[Replicate], preferences: FloatArray
) -> tuple[Oracle | None, str]:
    """Oracle shared by all cells of a table, or None and the reason as a sentence.

    If the oracles of the cells disagree, none is used. They cannot split the table instead, because
    equality up to a tolerance is not transitive.
    """
    recorded = [(each.fold, each.optimum) for each in replicates if each.optimum]
    if not recorded:
        return None, ""
    if len(recorded) < len(replicates):
        return None, (
            f"{len(replicates) - len(recorded)} of {len(replicates)} scored cells have no oracle, "
            "so the union front is used instead; run those cells again."
        )
    by_fold: dict[int | None, Optimum] = {}
    for fold, optimum in recorded:
        apart = _apart(by_fold.setdefault(fold, optimum), optimum)
        if apart > TOLERANCE:
            return None, (
                f"The recorded oracles of these cells differ by up to {apart:.2g}, so the union "
                "front is used instead; run all cells with one version of the benchmark."
            )
    return Oracle(preferences, by_fold, learnable(preferences, by_fold.values())), ""


def _apart(one: Optimum, other: Optimum) -> float:
    points = np.abs(one.points - other.points).max()
    return float(max(points, np.abs(one.start - other.start).max()))
