"""Seeds and prompts that a sweep needs, planned from recorded cells."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import combinations

import numpy as np

from paretosteer import metrics
from paretosteer.cells.cell import cell_folders, read_cell
from paretosteer.cells.changed_files import warn_of_changes
from paretosteer.errors import UsageError
from paretosteer.metrics.power import POWER, Variances, needed, variances
from paretosteer.report.analysis import bootstrap
from paretosteer.report.analysis.tables import Row, Table, make_tables

MOST = 100_000  # seeds or prompts that a plan considers


@dataclass(frozen=True)
class PlannedPair:
    """What it takes to tell two rows apart by a given hypervolume."""

    table: int
    a: str
    b: str
    seeds: int  # recorded, as are the prompts
    prompts: int
    smallest: float  # difference that the recorded cells find
    more_seeds: int | None  # needed at the recorded prompts; None beyond `MOST`
    more_prompts: int | None  # needed at the recorded seeds


def plan_pairs(
    dirs: Sequence[str | os.PathLike[str]], difference: float
) -> tuple[PlannedPair, ...]:
    """Plan every pair of rows of recorded cells.

    Raises
    ------
    UsageError
        If no two rows share two seeds, so that the variance between seeds is unknown.
    """
    if not 0 < difference < np.inf:
        raise UsageError(f"--detect: found {difference:g}; give a positive difference")
    found = make_tables(map(read_cell, cell_folders(*dirs)))
    warn_of_changes(found.changed)
    planned = [each for table in found.tables for each in _pairs(table, difference)]
    if not planned:
        raise UsageError(
            "no two rows share two seeds, so the variance between seeds is unknown; run at least "
            "two seeds of two methods"
        )
    return tuple(planned)


def summary(planned: Sequence[PlannedPair], difference: float) -> str:
    """Sentences on the median pair."""
    middle = sorted(planned, key=lambda each: each.smallest)[len(planned) // 2]
    seeds = _number(middle.more_seeds, "seeds")
    prompts = _number(middle.more_prompts, "prompts")
    return (
        f"For the median pair ({middle.a} and {middle.b}), the smallest detectable difference in "
        f"hypervolume is {middle.smallest:.3g}, with {100 * POWER:g} % power at the 5 % level. "
        f"Detecting {difference:g} needs {seeds} at {middle.prompts} prompts, or {prompts} at "
        f"{middle.seeds} seeds. Variances are estimated from {middle.seeds} seeds"
        + (", which is few." if middle.seeds < bootstrap.ENOUGH else ".")
    )


def _number(count: int | None, noun: str) -> str:
    return f"more than {MOST:,} {noun}" if count is None else f"{count:,} {noun}"


def _pairs(table: Table, difference: float) -> Iterator[PlannedPair]:
    if not table.setting:
        return
    reference = np.array(table.setting.reference)
    for a, b in combinations([row for row in table.rows if row.replicates], 2):
        if parts := _variances(a, b, reference):
            own, seeds, prompts = parts
            yield PlannedPair(
                table.number,
                a.label,
                b.label,
                seeds,
                prompts,
                own.smallest(seeds, prompts),
                *needed(own, difference, seeds, prompts, MOST),
            )


def _variances(a: Row, b: Row, reference: np.ndarray) -> tuple[Variances, int, int] | None:
    """Parts of the variance of a pair, its seeds and prompts; None without two common seeds."""
    both = {each.key for each in a.replicates} & {each.key for each in b.replicates}
    if len(both) < 2:
        return None
    sides = [[each for each in row.replicates if each.key in both] for row in (a, b)]
    points = [np.stack([each.scores.mean(axis=1) for each in side]) for side in sides]
    exact = metrics.affordable([own for side in points for own in side])
    one, other = (
        bootstrap.volumes(own, bootstrap.resample(side, outer=False), reference, exact)
        for own, side in zip(points, sides, strict=True)
    )
    prompts = sides[0][0].scores.shape[1]
    parts = variances(one.estimates - other.estimates, one.draws - other.draws, prompts)
    return parts, len(both), prompts
