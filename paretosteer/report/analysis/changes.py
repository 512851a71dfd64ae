"""Changes between two sweeps: rows before and after, cell by cell.

Rows of the same configuration are paired first, then rows of the same method on the same benchmark
with the fewest changed settings. Cells are paired by fold and seed. If their own settings differ,
they are compared on what both have, see `common_ground`. So folds that only one sweep has do not
prevent a comparison of the others. Both sides share the resamples of prompts and replicates, like
the rows of a table.
"""

import os
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import groupby, product
from math import inf
from pathlib import Path
from typing import NamedTuple, TypeAlias

import numpy as np

from paretosteer import metrics
from paretosteer.cells.cell import Cell, find_cells
from paretosteer.cells.changed_files import warn_of_changes
from paretosteer.cells.scores import same_scores
from paretosteer.report.analysis import bootstrap, row_key
from paretosteer.report.analysis.common_ground import Twins, differences, twins
from paretosteer.report.analysis.comparable import Setting
from paretosteer.report.analysis.replicates import Replicate
from paretosteer.report.analysis.tables import Row, Table, Tables, make_tables

Turn: TypeAlias = tuple[int, int | None]  # fold (0 without), seed (None where not known)

UNCHANGED, CHANGED, INCOMPARABLE = "unchanged", "changed", "not comparable"
IN_PART = "compared in part"


class Shift(NamedTuple):
    """A figure before and after."""

    before: float
    after: float
    difference: float  # after minus before
    interval: metrics.Interval | None  # of the difference


class Shifts(NamedTuple):
    """Figures compared between two cells or rows."""

    hypervolume: Shift
    controllability: Shift | None  # None if the grid does not vary every weight


@dataclass(frozen=True)
class CellChange:
    """A fold and seed of a configuration in both sweeps.

    `status` is `changed`, `unchanged` (bitwise equal scores), `compared in part` or
    `not comparable`, or names the side without figures. `reason` says what is not compared.
    """

    turn: Turn
    before: Cell | None
    after: Cell | None
    status: str
    reason: str
    shifts: Shifts | None

    @property
    def name(self) -> str:
        """Seed, and fold if there are folds."""
        fold, seed = self.turn
        named = "seed unknown" if seed is None else f"seed {seed}"
        return f"fold {fold}, {named}" if fold else named


@dataclass(frozen=True)
class RowChange:
    """A configuration without seed and fold; `shifts` are over the compared pairs of cells.

    `changes` are the settings that differ: "method.rank 8 → 4".
    """

    heading: str
    benchmark: str
    model: str
    label: str
    row: Row
    cells: tuple[CellChange, ...]
    shifts: Shifts | None
    changes: tuple[str, ...]

    @property
    def status(self) -> str:
        """Status of the cells, with counts if they differ."""
        counts = Counter(cell.status for cell in self.cells)
        if len(counts) == 1:
            return self.cells[0].status
        return "; ".join(f"{count} {status}" for status, count in counts.items())

    @property
    def remarks(self) -> list[str]:
        """What is not compared and why, one line each."""
        by_reason: dict[str, list[str]] = {}
        for cell in self.cells:
            if cell.reason:
                by_reason.setdefault(cell.reason, []).append(cell.name)
        return [f"{self.label} ({'; '.join(names)}): {why}" for why, names in by_reason.items()]


@dataclass(frozen=True)
class Comparison:
    """Comparison of two sweeps; `astray` holds cells without a readable configuration."""

    before: Path
    after: Path
    rows: tuple[RowChange, ...]
    astray: tuple[Cell, ...]

    @property
    def groups(self) -> list[tuple[str, list[RowChange]]]:
        """Rows grouped by heading."""
        return [(head, list(rows)) for head, rows in groupby(self.rows, lambda row: row.heading)]

    @property
    def remarks(self) -> list[str]:
        """Changed settings, and cells that are not compared and why, one line each."""
        paired = [row for row in self.rows if row.changes]
        common = [
            change
            for change in (paired[0].changes if len(paired) > 1 else ())
            if all(change in row.changes for row in paired)
        ]
        every = [f"changed in all of these rows: {', '.join(common)}"] if common else []
        own = [
            f"{row.label}: changed: {', '.join(rest)}"
            for row in paired
            if (rest := [change for change in row.changes if change not in common])
        ]
        lost = [f"in no row: {cell.path}: {cell.reason}" for cell in self.astray]
        return [*every, *own, *(remark for row in self.rows for remark in row.remarks), *lost]


def compare_sweeps(before: str | os.PathLike[str], after: str | os.PathLike[str]) -> Comparison:
    """Compare all cells at or below one folder with those at or below another.

    Raises
    ------
    UsageError
        If a folder does not exist or holds no cell.

    """
    first, second = make_tables(find_cells(before)), make_tables(find_cells(after))
    cells = (*first.cells, *second.cells)
    warn_of_changes([*first.changed, *second.changed])
    rows = [_row(*pair) for pair in _matches(first, second)]
    rows.sort(key=lambda row: (row.heading, row.label))
    lost = [cell for cell in cells if not cell.scored and not cell.config]
    return Comparison(Path(before), Path(after), tuple(_labelled(rows)), tuple(lost))


class _Placed(NamedTuple):
    """A row and its table."""

    table: Table
    row: Row


class _Side(NamedTuple):
    """Hypervolumes and controllability of the compared replicates of one side."""

    volumes: bootstrap.Volumes
    control: Mapping[bootstrap.Key, float]


_Match: TypeAlias = tuple[_Placed | None, _Placed | None]


def _matches(first: Tables, second: Tables) -> Iterator[_Match]:
    """Pair rows of the same configuration, then of the same method with changed settings.

    The partner of an unmatched row is None.
    """
    before, after = _by_key(first), _by_key(second)
    rest: dict[tuple[str, str], tuple[list[_Placed], list[_Placed]]] = {}
    for key in dict.fromkeys([*before, *after]):
        for one, other in _nearest(before.get(key, []), after.get(key, []), _distance):
            if one and other:
                yield one, other
            elif placed := one or other:
                name = placed.table.benchmark, placed.row.method
                unmatched = rest.setdefault(name, ([], []))
                unmatched[0 if one else 1].append(placed)
    for firsts, seconds in rest.values():
        yield from _nearest(firsts, seconds, _changed_settings)


def _by_key(found: Tables) -> dict[str, list[_Placed]]:
    rows: dict[str, list[_Placed]] = {}
    for table in found.tables:
        for row in table.rows:
            key = row_key.key(row.cells[0].config, row.cells[0].method_files)
            rows.setdefault(key, []).append(_Placed(table, row))
    return rows


def _nearest(
    before: Sequence[_Placed],
    after: Sequence[_Placed],
    distance: Callable[[_Placed, _Placed], int],
) -> Iterator[_Match]:
    """Pair rows, the closest first; each has at most one partner."""
    candidates = product(range(len(before)), range(len(after)))
    taken: dict[int, int] = {}
    for i, j in sorted(candidates, key=lambda pair: distance(before[pair[0]], after[pair[1]])):
        if i not in taken and j not in taken.values():
            taken[i] = j
    yield from ((before[i], after[j]) for i, j in taken.items())
    yield from ((row, None) for i, row in enumerate(before) if i not in taken)
    yield from ((None, row) for j, row in enumerate(after) if j not in taken.values())


def _distance(before: _Placed, after: _Placed) -> int:
    """Distance of rows of one configuration, which may be in tables with different settings.

    0 for equal settings, 1 for equal ones except for folds, 2 if one is unknown, 3 otherwise.
    """
    one, other = before.table.setting, after.table.setting
    if one is None or other is None:
        return 2
    if one == other:
        return 0
    alike = one.folds and other.folds and one.shared() == other.shared()
    return 1 if alike else 3


def _changed_settings(before: _Placed, after: _Placed) -> int:
    return len(row_key.changes(before.row.options, after.row.options))


def _row(before: _Placed | None, after: _Placed | None) -> RowChange:
    latest = after or before
    assert latest
    pairs = _twins(before, after)
    sides = _sides(list(pairs.values()))
    table = latest.table
    version = f" (version {table.setting.version})" if table.setting else ""
    return RowChange(
        heading=f"{table.benchmark}{version} {table.model}".strip(),
        benchmark=table.benchmark,
        model=table.model,
        label=latest.row.label,
        row=latest.row,
        cells=tuple(_cells(before, after, pairs, sides)),
        shifts=_shifts(*sides, [pair.before.key for pair in pairs.values()]) if sides else None,
        changes=tuple(row_key.changes(before.row.options, after.row.options))
        if before and after
        else (),
    )


def _twins(before: _Placed | None, after: _Placed | None) -> dict[Turn, Twins]:
    """Pairs of replicates that have something in common, by fold and seed."""
    first = {each.key: each for each in before.row.replicates} if before else {}
    second = {each.key: each for each in after.row.replicates} if after else {}
    found = {key: twins(first[key], second[key]) for key in first if key in second}
    pairs = {key: pair for key, pair in found.items() if pair}
    # A row's figures need one grid.
    grid = next((pair.setting.preferences for pair in pairs.values()), None)
    return {key: pair for key, pair in pairs.items() if pair.setting.preferences == grid}


def _sides(pairs: Sequence[Twins]) -> tuple[_Side, _Side] | None:
    if not pairs:
        return None
    setting = pairs[0].setting  # reference and preferences are the same in all folds
    before, after = [pair.before for pair in pairs], [pair.after for pair in pairs]
    return _side(before, setting), _side(after, setting)


def _side(replicates: Sequence[Replicate], setting: Setting) -> _Side:
    points = np.stack([each.scores.mean(axis=1) for each in replicates])  # (replicates, k, m)
    draws = bootstrap.resample(replicates, bootstrap.enough([each.key for each in replicates]))
    preferences = np.array(setting.preferences)
    control: dict[bootstrap.Key, float] = {}
    if metrics.steerable(preferences):
        by_replicate = np.asarray(metrics.controllability(preferences, points)).tolist()
        control = dict(zip(draws.keys, by_replicate, strict=True))
    return _Side(bootstrap.volumes(points, draws, setting.reference), control)


def _shifts(before: _Side, after: _Side, keys: Sequence[bootstrap.Key]) -> Shifts:
    """Shifts of the means over these replicates, which both sides have."""
    one, other = before.volumes.at(keys), after.volumes.at(keys)
    between = bootstrap.gap(other, one, bootstrap.enough(keys))
    assert between  # both sides have all of these replicates
    hypervolume = Shift(one.mean, other.mean, between.estimate, between.interval)
    if not before.control:
        return Shifts(hypervolume, None)
    first, second = (
        float(np.mean([side.control[key] for key in keys])) for side in (before, after)
    )
    return Shifts(hypervolume, Shift(first, second, second - first, None))


def _cells(
    before: _Placed | None,
    after: _Placed | None,
    pairs: Mapping[Turn, Twins],
    sides: tuple[_Side, _Side] | None,
) -> Iterator[CellChange]:
    first = {cell.turn: cell for cell in before.row.cells} if before else {}
    second = {cell.turn: cell for cell in after.row.cells} if after else {}
    for turn in sorted({*first, *second}, key=_turn_order):
        one, other, pair = first.get(turn), second.get(turn), pairs.get(turn)
        if pair and sides:
            shifts = _shifts(*sides, [pair.before.key])
            yield CellChange(turn, one, other, _status(pair), pair.reason, shifts)
        else:
            yield CellChange(turn, one, other, *_uncompared(one, other), None)


def _turn_order(turn: Turn) -> tuple[int, float]:
    fold, seed = turn
    return fold, inf if seed is None else seed


def _status(pair: Twins) -> str:
    if pair.reason:
        return IN_PART
    return UNCHANGED if _same(pair.before, pair.after) else CHANGED


def _same(before: Replicate, after: Replicate) -> bool:
    # For regularised points, the values also contain the KL, which the scores do not.
    return same_scores(before.cell, after.cell) and np.array_equal(before.scores, after.scores)


def _uncompared(before: Cell | None, after: Cell | None) -> tuple[str, str]:
    """Status and reason of a fold and seed that cannot be compared."""
    if before and after and before.scored and after.scored:
        settings = Setting.of(before.results), Setting.of(after.results)
        return INCOMPARABLE, f"not comparable, since these differ: {differences(*settings)}"
    present = [(cell, when) for cell, when in ((before, "before"), (after, "now")) if cell]
    unscored = [(cell, when) for cell, when in present if not cell.scored]
    reason = "; ".join(f"{when}: {cell.reason}" for cell, when in unscored if cell.reason)
    if before and after:
        return ", ".join(f"{cell.status} {when}" for cell, when in unscored), reason
    side = "only in A" if before else "only in B"
    return ", ".join([side, *(cell.status for cell, _ in unscored)]), reason


def _labelled(rows: Sequence[RowChange]) -> Iterator[RowChange]:
    """Rows with labels that are unique under their heading, across both sweeps."""
    for _, members in groupby(rows, lambda row: row.heading):
        group = list(members)
        labels = row_key.labels(
            [(change.row.method, change.row.variant, change.row.options) for change in group]
        )
        yield from (
            replace(change, label=label) for change, label in zip(group, labels, strict=True)
        )
