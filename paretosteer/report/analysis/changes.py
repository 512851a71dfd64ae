"""What changed between two sweeps: the same configurations before and after, cell by cell.

Cells are paired by fold and seed. Two are compared where their own settings are equal, so folds
that only one of the sweeps has do not keep the others from it. Both sides meet the same resampled
prompts and replicates, as rows of one table do.
"""

import os
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import groupby, product
from math import inf
from pathlib import Path
from typing import NamedTuple, TypeAlias

import numpy as np

from paretosteer import metrics
from paretosteer.cells.cell import Cell, find_cells
from paretosteer.cells.scores import same_scores
from paretosteer.report.analysis import bootstrap, row_key
from paretosteer.report.analysis.comparable import Setting, distinctions
from paretosteer.report.analysis.replicates import Replicate
from paretosteer.report.analysis.tables import Row, Table, Tables, make_tables

Turn: TypeAlias = tuple[int, int | None]  # fold (0 without), seed (None where not known)

UNCHANGED, CHANGED, INCOMPARABLE = "unchanged", "changed", "not comparable"


class Shift(NamedTuple):
    """A figure before and after; its difference, after minus before, may have an interval."""

    before: float
    after: float
    difference: float
    interval: metrics.Interval | None


class Shifts(NamedTuple):
    """What is measured of a pair of cells or rows; no controllability on grids without order."""

    hypervolume: Shift
    controllability: Shift | None


@dataclass(frozen=True)
class CellChange:
    """A fold and seed of a configuration in both sweeps.

    `status` is `changed`, `unchanged` (the same scores to the bit) or `not comparable`, or says on
    which side there is nothing to compare; `reason` says why there are no `shifts`.
    """

    turn: Turn
    before: Cell | None
    after: Cell | None
    status: str
    reason: str
    shifts: Shifts | None

    @property
    def name(self) -> str:
        """Its seed, and its fold where there are folds."""
        fold, seed = self.turn
        named = "seed unknown" if seed is None else f"seed {seed}"
        return f"fold {fold}, {named}" if fold else named


@dataclass(frozen=True)
class RowChange:
    """A configuration without seed and fold; `shifts` are over the pairs that are compared."""

    heading: str
    benchmark: str
    model: str
    label: str
    row: Row
    cells: tuple[CellChange, ...]
    shifts: Shifts | None

    @property
    def status(self) -> str:
        """What became of its cells, counted where they differ."""
        counts = Counter(cell.status for cell in self.cells)
        if len(counts) == 1:
            return self.cells[0].status
        return "; ".join(f"{count} {status}" for status, count in counts.items())

    @property
    def remarks(self) -> list[str]:
        """Why cells are not compared, in one line for each reason."""
        told: dict[str, list[str]] = {}
        for cell in self.cells:
            if cell.reason:
                told.setdefault(cell.reason, []).append(cell.name)
        return [f"{self.label} ({'; '.join(names)}): {why}" for why, names in told.items()]


@dataclass(frozen=True)
class Comparison:
    """Two sweeps; `astray` are cells of which not even the configuration is known."""

    before: Path
    after: Path
    rows: tuple[RowChange, ...]
    astray: tuple[Cell, ...]

    @property
    def groups(self) -> list[tuple[str, list[RowChange]]]:
        """Rows by heading."""
        return [(head, list(rows)) for head, rows in groupby(self.rows, lambda row: row.heading)]

    @property
    def remarks(self) -> list[str]:
        """What is not compared and why, a line each."""
        lost = [f"in no row: {cell.path}: {cell.reason}" for cell in self.astray]
        return [*(remark for row in self.rows for remark in row.remarks), *lost]


def compare_sweeps(before: str | os.PathLike[str], after: str | os.PathLike[str]) -> Comparison:
    """Compare all cells at or below one folder with those at or below another.

    Raises
    ------
    UsageError
        If a folder does not exist or holds no cell.
    """
    first, second = make_tables(find_cells(before)), make_tables(find_cells(after))
    rows = sorted((_row(*pair) for pair in _matches(first, second)), key=_order)
    every = (*first.cells, *second.cells)
    lost = [cell for cell in every if not cell.scored and not cell.config]
    return Comparison(Path(before), Path(after), tuple(_labelled(rows)), tuple(lost))


class _Placed(NamedTuple):
    """A row and the table in which it stands."""

    table: Table
    row: Row


class _Side(NamedTuple):
    """One side's replicates that are compared: hypervolumes, and controllability by replicate."""

    volumes: bootstrap.Volumes
    control: Mapping[bootstrap.Key, float]


_Match: TypeAlias = tuple[_Placed | None, _Placed | None]
_Twins: TypeAlias = tuple[Replicate, Replicate]


def _matches(first: Tables, second: Tables) -> Iterator[_Match]:
    """Rows of the same configuration; one that a single sweep has is alone."""
    before, after = _by_key(first), _by_key(second)
    for key in dict.fromkeys([*before, *after]):
        yield from _nearest(before.get(key, []), after.get(key, []))


def _by_key(found: Tables) -> dict[str, list[_Placed]]:
    rows: dict[str, list[_Placed]] = {}
    for table in found.tables:
        for row in table.rows:
            key = row_key.key(row.cells[0].config)
            rows.setdefault(key, []).append(_Placed(table, row))
    return rows


def _nearest(before: Sequence[_Placed], after: Sequence[_Placed]) -> Iterator[_Match]:
    """Match rows of one configuration: a sweep may have several, in tables of their own."""
    places = product(range(len(before)), range(len(after)))
    taken: dict[int, int] = {}
    for i, j in sorted(places, key=lambda pair: _distance(before[pair[0]], after[pair[1]])):
        if i not in taken and j not in taken.values():
            taken[i] = j
    yield from ((before[i], after[j]) for i, j in taken.items())
    yield from ((each, None) for i, each in enumerate(before) if i not in taken)
    yield from ((None, each) for j, each in enumerate(after) if j not in taken.values())


def _distance(before: _Placed, after: _Placed) -> int:
    """How unlike the settings are: 0 equal, 1 but for the folds, 2 one not known, 3 another."""
    one, other = before.table.setting, after.table.setting
    if one is None or other is None:
        return 2
    if one == other:
        return 0
    alike = one.folds and other.folds and one.shared() == other.shared()
    return 1 if alike else 3


def _row(before: _Placed | None, after: _Placed | None) -> RowChange:
    shown = after or before
    assert shown
    twins = _twins(before, after)
    sides = _sides(list(twins.values()))
    table = shown.table
    version = f" (version {table.setting.version})" if table.setting else ""
    return RowChange(
        heading=f"{table.benchmark}{version} {table.model}".strip(),
        benchmark=table.benchmark,
        model=table.model,
        label=shown.row.label,
        row=shown.row,
        cells=tuple(_cells(before, after, twins, sides)),
        shifts=_shifts(*sides, [one.key for one, _ in twins.values()]) if sides else None,
    )


def _twins(before: _Placed | None, after: _Placed | None) -> dict[Turn, _Twins]:
    """Pairs of replicates that may be compared, by fold and seed."""
    first = {each.key: each for each in before.row.replicates} if before else {}
    second = {each.key: each for each in after.row.replicates} if after else {}
    return {
        key: (first[key], second[key])
        for key in first
        if key in second and _own(first[key].cell) == _own(second[key].cell)
    }


def _own(cell: Cell) -> Setting:
    return Setting.of(cell.results)


def _sides(twins: Sequence[_Twins]) -> tuple[_Side, _Side] | None:
    if not twins:
        return None
    before, after = zip(*twins, strict=True)
    return _side(before), _side(after)


def _side(replicates: Sequence[Replicate]) -> _Side:
    setting = _own(replicates[0].cell)  # all folds share reference and preferences
    points = np.stack([each.scores.mean(axis=1) for each in replicates])  # (replicates, k, m)
    draws = bootstrap.resample(replicates, bootstrap.enough([each.key for each in replicates]))
    preferences = np.array(setting.preferences)
    control: dict[bootstrap.Key, float] = {}
    if metrics.steerable(preferences):
        by_replicate = np.asarray(metrics.controllability(preferences, points)).tolist()
        control = dict(zip(draws.keys, by_replicate, strict=True))
    return _Side(bootstrap.volumes(points, draws, setting.reference), control)


def _shifts(before: _Side, after: _Side, keys: Sequence[bootstrap.Key]) -> Shifts:
    """Means over some of the replicates that both sides have."""
    one, other = before.volumes.at(keys), after.volumes.at(keys)
    between = bootstrap.gap(other, one, bootstrap.enough(keys))
    assert between  # both have these very replicates
    hypervolume = Shift(one.mean, other.mean, between.estimate, between.interval)
    if not before.control:
        return Shifts(hypervolume, None)
    first, second = (
        float(np.mean([each.control[key] for key in keys])) for each in (before, after)
    )
    return Shifts(hypervolume, Shift(first, second, second - first, None))


def _cells(
    before: _Placed | None,
    after: _Placed | None,
    twins: Mapping[Turn, _Twins],
    sides: tuple[_Side, _Side] | None,
) -> Iterator[CellChange]:
    first = {cell.turn: cell for cell in before.row.cells} if before else {}
    second = {cell.turn: cell for cell in after.row.cells} if after else {}
    for turn in sorted({*first, *second}, key=_turn_order):
        one, other, pair = first.get(turn), second.get(turn), twins.get(turn)
        if pair and sides:
            status = UNCHANGED if _same(*pair) else CHANGED
            yield CellChange(turn, one, other, status, "", _shifts(*sides, [pair[0].key]))
        else:
            yield CellChange(turn, one, other, *_uncompared(one, other), None)


def _turn_order(turn: Turn) -> tuple[int, float]:
    fold, seed = turn
    return fold, inf if seed is None else seed


def _same(before: Replicate, after: Replicate) -> bool:
    # Values also hold the KL where points are regularised by it.
    return same_scores(before.cell, after.cell) and np.array_equal(before.scores, after.scores)


def _uncompared(before: Cell | None, after: Cell | None) -> tuple[str, str]:
    """Status and reason of a fold and seed that has no figures on both sides."""
    if before and after and before.scored and after.scored:
        return INCOMPARABLE, _differences(_own(before), _own(after))
    present = [(cell, when) for cell, when in ((before, "before"), (after, "now")) if cell]
    unscored = [(cell, when) for cell, when in present if not cell.scored]
    reason = "; ".join(f"{when}: {cell.reason}" for cell, when in unscored if cell.reason)
    if before and after:
        return ", ".join(f"{cell.status} {when}" for cell, when in unscored), reason
    side = "only in A" if before else "only in B"
    return ", ".join([side, *(cell.status for cell, _ in unscored)]), reason


def _differences(before: Setting, after: Setting) -> str:
    first, second = distinctions([before, after])
    told = [
        # Words may be too short to show what differs.
        f"{name} {value} → {second[name]}" if value != second[name] else name
        for name, value in first.items()
    ]
    return f"not comparable, since these differ: {'; '.join(told)}"


def _order(change: RowChange) -> tuple[str, str]:
    return change.heading, change.label


def _labelled(rows: Sequence[RowChange]) -> Iterator[RowChange]:
    """Rows with labels that no two of a heading share, whichever sweep they come from."""
    for _, members in groupby(rows, lambda row: row.heading):
        group = list(members)
        named = row_key.labels(
            [(each.row.method, each.row.variant, each.row.options) for each in group]
        )
        yield from (replace(each, label=label) for each, label in zip(group, named, strict=True))
