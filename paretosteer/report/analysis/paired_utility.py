"""Differences in utility between two rows at each preference, paired by prompt and replicate."""

from collections.abc import Sequence
from functools import cache
from itertools import combinations

import numpy as np

from paretosteer.metrics.input_checks import FloatArray
from paretosteer.report.analysis import bootstrap
from paretosteer.report.analysis.evaluate_table import TableResult


class PairedUtility:
    """Differences between the scored rows of a table, over the same resamples of the prompts."""

    def __init__(self, result: TableResult):
        assert result.table.setting  # a scored table has one
        self.preferences = np.array(result.table.setting.preferences)  # (k, m)
        self._rows = [each.row.replicates for each in result.scored]
        self._outer = result.outer
        # Most rows have the same replicates.
        self._utility = cache(self._utility_of)
        self.difference = cache(self._difference_of)

    def alike(self) -> list[list[list[int]]]:
        """For each row and preference, places of the rows not shown to differ from it there.

        The interval of the difference contains 0, or there is none.
        """
        found: list[list[list[int]]] = [[[] for _ in self.preferences] for _ in self._rows]
        for a, b in combinations(range(len(self._rows)), 2):
            band = self.difference(a, b)
            undecided = ~((band.low > 0) | (band.high < 0))
            for place in np.flatnonzero(undecided).tolist():
                found[a][place].append(b)
                found[b][place].append(a)
        return found

    def _difference_of(self, a: int, b: int) -> bootstrap.Band:
        """Utility of row a minus that of row b with its 95 % interval, each (k,).

        Over the replicates that both rows have; NaN where they have too few in common.
        """
        if a > b:
            band = self.difference(b, a)
            return bootstrap.Band(-band.mean, -band.high, -band.low)
        theirs = {each.key for each in self._rows[b]}
        keys = tuple(each.key for each in self._rows[a] if each.key in theirs)
        if not keys or (self._outer and not bootstrap.enough(keys)):
            return bootstrap.band(np.full(len(self.preferences), np.nan), None)
        (mean, draws), (other, other_draws) = self._utility(a, keys), self._utility(b, keys)
        return bootstrap.band(mean - other, draws - other_draws)

    def _utility_of(self, row: int, keys: Sequence[bootstrap.Key]) -> tuple[FloatArray, FloatArray]:
        """Mean utility over some replicates, (k,), and its resamples (resamples, k)."""
        replicates = [each for each in self._rows[row] if each.key in keys]
        draws = bootstrap.resample(replicates, self._outer)
        means = np.mean([each.scores.mean(axis=1) for each in replicates], axis=0)  # (k, m)
        resampled = draws.mean(draws.points)  # (resamples, k, m)
        return (means * self.preferences).sum(axis=1), (resampled * self.preferences).sum(axis=2)
