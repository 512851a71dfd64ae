"""Rows whose utility at a preference does not differ significantly, by paired differences."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import combinations

import numpy as np
import numpy.typing as npt

from paretosteer.metrics.input_checks import FloatArray
from paretosteer.report.analysis import bootstrap
from paretosteer.report.analysis.evaluate import TableResult
from paretosteer.report.analysis.replicates import Replicate


@dataclass(frozen=True)
class _Utility:
    draws: bootstrap.Draws
    estimates: FloatArray  # (replicates, k)
    resampled: FloatArray  # (replicates, resamples, k)


def alike(result: TableResult) -> list[list[list[int]]]:
    """For each scored row and preference, places of the rows not shown to differ from it there.

    The 95 % interval of the difference in utility contains 0, over the replicates that both rows
    have and the same resamples of the prompts; or they have too few replicates in common.
    """
    assert result.table.setting  # a scored table has one
    preferences = np.array(result.table.setting.preferences)
    rows = [_utility(each.row.replicates, preferences, result.outer) for each in result.scored]
    found: list[list[list[int]]] = [[[] for _ in preferences] for _ in rows]
    for a, b in combinations(range(len(rows)), 2):
        for place in np.flatnonzero(_undecided(rows[a], rows[b])).tolist():
            found[a][place].append(b)
            found[b][place].append(a)
    return found


def _utility(replicates: Sequence[Replicate], preferences: FloatArray, outer: bool) -> _Utility:
    draws = bootstrap.resample(replicates, outer)
    points = np.stack([each.scores.mean(axis=1) for each in replicates])  # (replicates, k, m)
    return _Utility(
        draws, (points * preferences).sum(axis=-1), (draws.points * preferences).sum(axis=-1)
    )


def _undecided(first: _Utility, second: _Utility) -> npt.NDArray[np.bool_]:
    """True where the interval of the difference contains 0, (k,)."""
    keys = tuple(key for key in first.draws.keys if key in second.draws.keys)
    if not keys or (first.draws.outer and not bootstrap.enough(keys)):
        return np.ones(first.estimates.shape[1], dtype=np.bool_)
    here = [first.draws.keys.index(key) for key in keys]
    there = [second.draws.keys.index(key) for key in keys]
    draws = replace(first.draws, keys=keys)
    difference = draws.mean(first.resampled[here] - second.resampled[there])
    estimate = (first.estimates[here] - second.estimates[there]).mean(axis=0)
    band = bootstrap.band(estimate, difference)
    undecided: npt.NDArray[np.bool_] = (band.low <= 0) & (band.high >= 0)
    return undecided
