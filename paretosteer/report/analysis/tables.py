"""Grouping of cells into rows, and of comparable rows into tables."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from math import inf
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from paretosteer.cells.cell import Cell
from paretosteer.cells.scores import UnreadableError
from paretosteer.metrics.measure import Map
from paretosteer.report.analysis import row_key
from paretosteer.report.analysis.comparable import Setting
from paretosteer.report.analysis.pool_folds import pool
from paretosteer.report.analysis.replicates import Replicate, read_replicate

EXEMPT_MARK = "*"
COST_UNKNOWN_MARK = "‡"


@dataclass(frozen=True)
class Row:
    """One configuration without its seed and fold."""

    label: str
    method: str
    variant: str
    options: Mapping[str, Any]
    cells: tuple[Cell, ...]  # one per seed and fold
    replicates: tuple[Replicate, ...]  # scored cells
    # Scored cells, each with the one that counts in its place, and how the two differ.
    replaced: tuple[tuple[Cell, Cell, str], ...] = ()

    @property
    def status(self) -> str:
        """Common status of the cells, otherwise `partial` if some were scored, else `failed`."""
        statuses = {cell.status for cell in self.cells}
        if len(statuses) == 1:
            return statuses.pop()
        return "partial" if self.replicates else "failed"

    @property
    def cap(self) -> int | None:
        """Cap on the optimiser steps of a cell; None if exempt."""
        return None if self.exempt else self.options.get("budget.steps")

    @property
    def exempt(self) -> bool:
        """True if the method is an expensive reference outside the budget."""
        return any(cell.record.exempt for cell in self.cells if cell.record)

    @property
    def cost_unknown(self) -> bool:
        """True if parts of the policy were trained elsewhere."""
        return any(cell.record.cost_unknown for cell in self.cells if cell.record)

    @property
    def is_start(self) -> bool:
        """True if nothing was trained or searched: the start model, whatever its rounding."""
        costs = [each.cell.results.cost for each in self.replicates]
        made = any(each.train_steps or each.reward_calls_per_answer for each in costs)
        return not made and not self.cost_unknown

    @property
    def mark(self) -> str:
        """Marks after the label: of a row exempt from the budget, and of unknown cost."""
        return EXEMPT_MARK * self.exempt + COST_UNKNOWN_MARK * self.cost_unknown


@dataclass(frozen=True)
class Table:
    """Comparable rows."""

    number: int
    benchmark: str
    model: str
    setting: Setting | None  # None if no row was scored
    rows: tuple[Row, ...]
    remark: str  # why its folds are not pooled with others, if so
    # Scored tables that differ from this one in the grid of preferences only.
    other_grids: tuple["Table", ...] = ()

    @property
    def place(self) -> str:
        """Benchmark and start model in words."""
        return place(self.benchmark, self.model)


def place(benchmark: str, model: str) -> str:
    """Benchmark and start model in words."""
    return f"{benchmark} with {model_words(model)}" if model else benchmark


def model_words(model: str) -> str:
    """Name of a start model, after that of its benchmark."""
    return "its built-in model" if model == "embedded" else model


@dataclass(frozen=True)
class Tables:
    """Result of grouping cells into tables."""

    tables: tuple[Table, ...]
    cells: tuple[Cell, ...]  # all cells; those with unusable scores have status `unreadable`
    superseded: Mapping[Path, Path]  # path of an unused cell: path of the cell used instead

    @property
    def changed(self) -> list[tuple[Cell, tuple[str, ...]]]:
        """Cells of the rows with the names of their files that are not those of the record."""
        rows = (row for table in self.tables for row in table.rows)
        return [(each.cell, each.changed) for row in rows for each in row.replicates]


def make_tables(found: Iterable[Cell], spread: Map = map) -> Tables:
    """Group cells into rows and rows into tables, numbered from 1 in a stable order.

    `spread` is a `map` that may read the cells in several processes.
    """
    read = list(spread(_read, found))
    cells = [cell for cell, _ in read]
    measured = [figures for _, figures in read if figures]
    pooled = pool(setting for setting, _ in measured)
    drafts: dict[_Place, _Draft] = {}
    for setting, replicate in measured:
        place = _Place(pooled.settings[setting], "", _key(replicate.cell))
        drafts.setdefault(place, _Draft([], [])).replicates.append(replicate)
    _add_unscored(drafts, cells)
    rows: dict[_Place, Row] = {}
    superseded: dict[Path, Path] = {}
    for place in sorted(drafts, key=_Place.order):
        rows[place], replaced = drafts[place].settle()
        superseded |= replaced
    numbered = tuple(_number(rows, pooled.remarks))
    return Tables(tuple(_with_other_grids(numbered)), tuple(cells), superseded)


class _Place(NamedTuple):
    """Key of a row: its table and its options."""

    setting: Setting | None
    unscored: str  # benchmark and model, which identify a table without a setting
    options: str

    def order(self) -> tuple[bool, str, str]:
        """Sort key that puts tables with figures first."""
        return (
            not self.setting,
            self.setting.order() if self.setting else self.unscored,
            self.options,
        )


@dataclass
class _Draft:
    """A row while cells are collected."""

    replicates: list[Replicate]
    unscored: list[Cell]

    def settle(self) -> tuple[Row, dict[Path, Path]]:
        """Make the row with one cell per seed and fold, and the map of superseded cells."""
        cells = [replicate.cell for replicate in self.replicates] + self.unscored
        best = {cell.turn: cell for cell in sorted(cells, key=_believable)}
        used = sorted(best.values(), key=_turn)
        paths = {cell.path for cell in used}
        replicates = (each for each in self.replicates if each.cell.path in paths)
        by_path = {each.cell.path: each for each in self.replicates}
        unused = [each for each in self.replicates if each.cell.path not in paths]
        replaced = [(each, by_path[best[each.cell.turn].path]) for each in unused]
        row = Row(
            label="",
            method=used[0].method,
            variant=next((cell.variant for cell in used if cell.variant), ""),
            options=row_key.configuration(used[0].config, used[0].method_files),
            cells=tuple(used),
            replicates=tuple(sorted(replicates, key=lambda each: each.key)),
            replaced=tuple(
                (one.cell, other.cell, why)
                for one, other in replaced
                if (why := _difference(one, other))
            ),
        )
        superseded = {cell.path: best[cell.turn].path for cell in cells if cell.path not in paths}
        return row, superseded


def _difference(one: Replicate, other: Replicate) -> str:
    """How a cell differs from another one of the same settings and seed; empty for a copy."""
    if _made_by(one.cell) != _made_by(other.cell):
        return "was made by other code or from other files"
    same = np.array_equal(one.scores, other.scores, equal_nan=True)
    return "" if same else "has other scores"


def _made_by(cell: Cell) -> tuple[str, str]:
    """Identity and code of a scored cell."""
    return cell.results.identity, cell.results.source_digest


def _turn(cell: Cell) -> tuple[int, float]:
    """Sort key of a row's cells; unknown seeds come last."""
    fold, seed = cell.turn
    return fold, inf if seed is None else seed


def _believable(cell: Cell) -> tuple[int, str, str]:
    """Sort key of cells with the same configuration, seed and fold; the last one is used.

    A better status wins, then the later creation.
    """
    rank = ("missing", "unreadable", "failed", "unsupported", "partial", "ok").index(cell.status)
    return rank, cell.record.created if cell.record else "", str(cell.path)


def _read(cell: Cell) -> tuple[Cell, tuple[Setting, Replicate] | None]:
    """Read a cell's figures; its status becomes `unreadable` if that fails."""
    try:
        if not cell.scored:
            return cell, None
        setting = Setting.of(cell.results)
        replicate = read_replicate(cell, setting)
    except UnreadableError as error:
        return replace(cell, status="unreadable", reason=str(error)), None
    return replicate.cell, (setting, replicate)


def _add_unscored(drafts: "dict[_Place, _Draft]", cells: Iterable[Cell]) -> None:
    """Add cells without scores to the row of their configuration, or to a new row.

    Cells without a readable configuration are in no row.
    """
    for cell in cells:
        if cell.scored or not cell.config:
            continue
        place = _place_of_unscored(cell, drafts)
        drafts.setdefault(place, _Draft([], [])).unscored.append(cell)


def _place_of_unscored(cell: Cell, drafts: "Mapping[_Place, _Draft]") -> "_Place":
    """Key of the table that fits an unscored cell best: same benchmark, most similar options."""
    own = row_key.configuration(cell.config)

    def fits(place: _Place) -> bool:
        """True if the options are equal, and the method's files as far as they are known."""
        files = cell.method_files or drafts[place].replicates[0].cell.method_files
        return place.options == row_key.key(cell.config, files)

    def likeness(place: _Place) -> tuple[bool, bool, int]:
        others = row_key.configuration(drafts[place].replicates[0].cell.config)
        shared = sum(
            own.get(name) == value
            for name, value in others.items()
            if not name.startswith("method")
        )
        folds = place.setting.folds if place.setting else None
        same = folds is not None and cell.fold in folds.found
        return fits(place), same, shared

    candidates = [
        place
        for place in sorted(drafts, key=_Place.order)
        if place.setting and drafts[place].replicates and _may_hold(place.setting, cell)
    ]
    if not candidates:
        return _Place(None, f"{cell.benchmark} {cell.model}", _key(cell))
    best = max(candidates, key=likeness)
    return best if fits(best) else best._replace(options=_key(cell))


def _key(cell: Cell) -> str:
    return row_key.key(cell.config, cell.method_files)


def _may_hold(setting: Setting, cell: Cell) -> bool:
    """True if an unscored cell may belong to a table, judging by its record."""
    if setting.benchmark != cell.benchmark:
        return False
    model, fold = (cell.record.model, cell.record.fold) if cell.record else (None, None)
    # Without weights the table pools folds, each with its own start model.
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


def _with_other_grids(tables: "Sequence[Table]") -> "Iterable[Table]":
    settings = [table.setting and table.setting.apart_from_grid() for table in tables]
    for table, setting in zip(tables, settings, strict=True):
        others = [
            other
            for other, its_own in zip(tables, settings, strict=True)
            if setting and its_own == setting and other is not table
        ]
        yield replace(table, other_grids=tuple(others))
