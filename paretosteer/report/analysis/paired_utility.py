"""Rows whose utility at a preference does not differ significantly, by paired differences."""

from collections.abc import Sequence
from functools import cache
from itertools import combinations

import numpy as np
import numpy.typing as npt

from paretosteer.metrics.input_checks import FloatArray
from paretosteer.report.analysis import bootstrap
from paretosteer.report.analysis.evaluate_table import TableResult


def alike(result: TableResult) -> list[list[list[int]]]:
    """For each scored row and preference, places of the rows not shown to differ from it there.

    The 95 % interval of the difference in utility contains 0, over the replicates that both rows
    have and the same resamples of the prompts; or they have too few replicates in common.
    """
    assert result.table.setting  # a scored table has one
    preferences = np.array(result.table.setting.preferences)
    rows = [each.row.replicates for each in result.scored]

    @cache  # most rows have the same replicates
    def utility(row: int, keys: Sequence[bootstrap.Key]) -> tuple[FloatArray, FloatArray]:
        """Mean utility over some replicates, (k,), and its resamples (resamples, k)."""
        replicates = [each for each in rows[row] if each.key in keys]
        draws = bootstrap.resample(replicates, result.outer)
        means = np.mean([each.scores.mean(axis=1) for each in replicates], axis=0)  # (k, m)
        resampled = draws.mean(draws.points)  # (resamples, k, m)
        return (means * preferences).sum(axis=1), (resampled * preferences).sum(axis=2)

    def undecided(a: int, b: int) -> npt.NDArray[np.bool_]:
        """True where the interval of the difference contains 0, (k,)."""
        theirs = {each.key for each in rows[b]}
        keys = tuple(each.key for each in rows[a] if each.key in theirs)
        if not keys or (result.outer and not bootstrap.enough(keys)):
            return np.ones(len(preferences), dtype=np.bool_)
        (mean, draws), (other, other_draws) = utility(a, keys), utility(b, keys)
        band = bootstrap.band(mean - other, draws - other_draws)
        contains: npt.NDArray[np.bool_] = (band.low <= 0) & (band.high >= 0)
        return contains

    found: list[list[list[int]]] = [[[] for _ in preferences] for _ in rows]
    for a, b in combinations(range(len(rows)), 2):
        for place in np.flatnonzero(undecided(a, b)).tolist():
            found[a][place].append(b)
            found[b][place].append(a)
    return found
