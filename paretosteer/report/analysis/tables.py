"""From cells to tables: which cells make one row, and which rows may stand in one table."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from math import inf
from pathlib import Path
from typing import Any, NamedTuple

from paretosteer.cells.cell import Cell
from paretosteer.cells.scores import UnreadableError
from paretosteer.metrics.measure import Map
from paretosteer.report.analysis import row_key
from paretosteer.report.analysis.comparable import Setting
from paretosteer.report.analysis.pool_folds import pool
from paretosteer.report.analysis.replicates import Replicate, read_replicate


@dataclass(frozen=True)
class Row:
    """One configuration without its seed and fold.

    `cells` are all that count, one per seed and fold; `replicates` those of them that were scored.
    """

    label: str
    method: str
    variant: str
    options: Mapping[str, Any]
    cells: tuple[Cell, ...]
    replicates: tuple[Replicate, ...]

    @property
    def status(self) -> str:
        """`ok` if all cells are; `partial` if some were scored; else what became of them."""
        found = {cell.status for cell in self.cells}
        if len(found) == 1:
            return found.pop()
        return "partial" if self.replicates else "failed"

    @property
    def cap(self) -> int | None:
        """The budget's optimiser steps a cell, None for the exempt."""
        return None if self.exempt else self.options.get("budget.steps")

    @property
    def exempt(self) -> bool:
        """Whether the method is an expensive reference outside the budget."""
        return any(cell.record.exempt for cell in self.cells if cell.record)


@dataclass(frozen=True)
class Table:
    """Rows that may be compared. Without a `setting` none of them was scored.

    `remark` says why its folds are not pooled with others, or nothing.
    """

    number: int
    benchmark: str
    model: str
    setting: Setting | None
    rows: tuple[Row, ...]
    remark: str


@dataclass(frozen=True)
class Tables:
    """What was made of the cells.

    `cells` are all that were found, those with unusable scores now `unreadable`; `superseded`
    maps a cell's path to the one that took its place.
    """

    tables: tuple[Table, ...]
    cells: tuple[Cell, ...]
    superseded: Mapping[Path, Path]


def make_tables(found: Iterable[Cell], spread: Map = map) -> Tables:
    """Sort cells into rows and rows into tables, numbered from 1 in a stable order.

    `spread` is the `map` that reads the files of cells.
    """
    read = list(spread(_read, found))
    cells = [cell for cell, _ in read]
    measured = [figures for _, figures in read if figures]
    pooled = pool(setting for setting, _ in measured)
    drafts: dict[_Place, _Draft] = {}
    for setting, replicate in measured:
        place = _Place(pooled.settings[setting], "", row_key.key(replicate.cell.config))
        drafts.setdefault(place, _Draft([], [])).replicates.append(replicate)
    _add_unscored(drafts, cells)
    rows: dict[_Place, Row] = {}
    superseded: dict[Path, Path] = {}
    for place in sorted(drafts, key=_Place.order):
        rows[place], replaced = drafts[place].settle()
        superseded |= replaced
    return Tables(tuple(_number(rows, pooled.remarks)), tuple(cells), superseded)


class _Place(NamedTuple):
    """Where a row belongs: its table (by setting, or else by benchmark and model), its options."""

    setting: Setting | None
    unscored: str
    options: str

    def order(self) -> tuple[bool, str, str]:
        """Tables with figures first."""
        return (
            not self.setting,
            self.setting.order() if self.setting else self.unscored,
            self.options,
        )


@dataclass
class _Draft:
    """A row while its cells come in."""

    replicates: list[Replicate]
    unscored: list[Cell]

    def settle(self) -> tuple[Row, dict[Path, Path]]:
        """The row with one cell per seed and fold, and which cells gave way to which."""
        cells = [replicate.cell for replicate in self.replicates] + self.unscored
        best = {cell.turn: cell for cell in sorted(cells, key=_believable)}
        kept = sorted(best.values(), key=_turn)
        paths = {cell.path for cell in kept}
        counted = (each for each in self.replicates if each.cell.path in paths)
        row = Row(
            label="",
            method=kept[0].method,
            variant=next((cell.variant for cell in kept if cell.variant), ""),
            options=row_key.configuration(kept[0].config),
            cells=tuple(kept),
            replicates=tuple(sorted(counted, key=lambda each: each.key)),
        )
        gone = {cell.path: best[cell.turn].path for cell in cells if cell.path not in paths}
        return row, gone


def _turn(cell: Cell) -> tuple[int, float]:
    """The order of a row's cells, those of unknown seed last."""
    fold, seed = cell.turn
    return fold, inf if seed is None else seed


def _believable(cell: Cell) -> tuple[int, str, str]:
    """Of cells of one configuration, seed and fold the better finished, then the later, counts."""
    rank = ("missing", "unreadable", "failed", "unsupported", "partial", "ok").index(cell.status)
    return rank, cell.record.created if cell.record else "", str(cell.path)


def _read(cell: Cell) -> tuple[Cell, tuple[Setting, Replicate] | None]:
    """A cell, `unreadable` where its figures are no use; what a finished one measured."""
    try:
        if not cell.scored:
            return cell, None
        setting = Setting.of(cell.results)
        replicate = read_replicate(cell, setting)
    except UnreadableError as error:
        return replace(cell, status="unreadable", reason=str(error)), None
    return replicate.cell, (setting, replicate)


def _add_unscored(drafts: "dict[_Place, _Draft]", cells: Iterable[Cell]) -> None:
    """Put cells without scores beside their configuration's others, or into a row of their own.

    A cell of which not even the configuration is known is in no row.
    """
    for cell in cells:
        if cell.scored or not cell.config:
            continue
        place = _place_of_unscored(cell, drafts)
        drafts.setdefault(place, _Draft([], [])).unscored.append(cell)


def _place_of_unscored(cell: Cell, drafts: "Mapping[_Place, _Draft]") -> "_Place":
    """The table in which the cell would have stood: same benchmark and model, nearest options."""
    options = row_key.key(cell.config)
    own = row_key.configuration(cell.config)

    def likeness(place: _Place) -> tuple[bool, bool, int]:
        others = row_key.configuration(drafts[place].replicates[0].cell.config)
        shared = sum(
            own.get(name) == value
            for name, value in others.items()
            if not name.startswith("method")
        )
        folds = place.setting.folds if place.setting else None
        same = folds is not None and cell.fold in folds.found
        return place.options == options, same, shared

    candidates = [
        place
        for place in sorted(drafts, key=_Place.order)
        if place.setting and drafts[place].replicates and _may_hold(place.setting, cell)
    ]
    if not candidates:
        return _Place(None, f"{cell.benchmark} {cell.model}", options)
    return max(candidates, key=likeness)._replace(options=options)


def _may_hold(setting: Setting, cell: Cell) -> bool:
    """Whether nothing that is known of an unscored cell speaks against a table."""
    if setting.benchmark != cell.benchmark:
        return False
    model, fold = (cell.record.model, cell.record.fold) if cell.record else (None, None)
    # Pooled folds have a start model each.
    same_model = not model or not setting.weights or model.digest == setting.weights
    same_family = not fold or (setting.folds is not None and fold.family == setting.folds.family)
    return same_model and same_family


def _number(rows: "Mapping[_Place, Row]", remarks: Mapping[Setting, str]) -> Iterable[Table]:
    groups: dict[tuple[Setting | None, str], list[Row]] = {}
    for place, row in rows.items():
        groups.setdefault((place.setting, place.unscored), []).append(row)
    for number, ((setting, _), members) in enumerate(groups.items(), start=1):
        named = row_key.labels([(row.method, row.variant, row.options) for row in members])
        yield Table(
            number,
            setting.benchmark if setting else members[0].cells[0].benchmark,
            setting.model if setting else members[0].cells[0].model,
            setting,
            tuple(replace(row, label=label) for row, label in zip(members, named, strict=True)),
            remarks.get(setting, "") if setting else "",
        )
