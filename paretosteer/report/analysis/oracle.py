"""The exact best front of a table, where every cell recorded one, and regret against it."""

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
    """The best possible at a table's preferences (k, m), by fold (None without folds).

    `places` are the preferences at which it beats the start model in every fold; at others there
    is nothing to learn, and no regret.
    """

    preferences: FloatArray
    by_fold: Mapping[int | None, Optimum]
    places: Places

    @property
    def mean(self) -> FloatArray:
        """The best points (k, m), averaged over folds."""
        return np.mean([optimum.points for optimum in self.by_fold.values()], axis=0)

    def regrets(self, points: FloatArray, fold: int | None) -> FloatArray:
        """Regret at each of `places`, (n,), of a fold's points (k, m)."""
        return regrets(points, self.preferences, self.by_fold[fold], self.places)


def common_oracle(
    replicates: Sequence[Replicate], preferences: FloatArray
) -> tuple[Oracle | None, str]:
    """The oracle that all cells of a table share, or none and why in a sentence.

    Agreement within a tolerance is no equivalence, so it cannot decide which table a cell is in:
    where cells disagree none of their oracles is believed.
    """
    known = [(each.fold, each.optimum) for each in replicates if each.optimum]
    if not known:
        return None, ""
    if len(known) < len(replicates):
        return None, (
            f"{len(replicates) - len(known)} of {len(replicates)} scored cells record no oracle, "
            "so the union front stands in for it; run those cells again."
        )
    by_fold: dict[int | None, Optimum] = {}
    for fold, optimum in known:
        apart = _apart(by_fold.setdefault(fold, optimum), optimum)
        if apart > TOLERANCE:
            return None, (
                f"The oracles that these cells record are up to {apart:.2g} apart, so the union "
                "front stands in for them; run all cells with one version of the benchmark."
            )
    return Oracle(preferences, by_fold, learnable(preferences, by_fold.values())), ""


def _apart(one: Optimum, other: Optimum) -> float:
    points = np.abs(one.points - other.points).max()
    return float(max(points, np.abs(one.start - other.start).max()))
