"""From cells to tables: which cells make one row, and which rows may stand in one table."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from paretosteer.load import Cell, UnreadableError, read_drift, read_scores
from paretosteer.metrics import MetricError, Normaliser, as_preferences
from paretosteer.metrics.checks import FloatArray
from paretosteer.report import configuration
from paretosteer.report.setting import Setting, ranked_points


@dataclass(frozen=True)
class Replicate:
    """One finished cell of a row: what its seed measured, in start-model standard units.

    `scores` is (k, prompts, m) at the table's preferences, `dialled` (d, m) the means of the
    points with further dials, `drift` the means by quantity (k,), empty where not measured.
    """

    cell: Cell
    seed: int
    scores: FloatArray
    dialled: FloatArray
    drift: Mapping[str, FloatArray]


@dataclass(frozen=True)
class Row:
    """One configuration without its seed.

    `cells` are all that count, one per seed; `replicates` those of them that were scored.
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
        """The budget's optimiser steps a seed, None for the exempt."""
        return None if self.exempt else self.options.get("budget.steps")

    @property
    def exempt(self) -> bool:
        """Whether the method is an expensive reference outside the budget."""
        return self.method in configuration.EXEMPT_METHODS


@dataclass(frozen=True)
class Table:
    """Rows that may be compared. Without a `setting` none of them was scored."""

    number: int
    benchmark: str
    model: str
    setting: Setting | None
    rows: tuple[Row, ...]


@dataclass(frozen=True)
class Tables:
    """What was made of the cells.

    `cells` are all that were found, those with unusable scores now `unreadable`; `superseded`
    maps a cell's path to the one that took its place.
    """

    tables: tuple[Table, ...]
    cells: tuple[Cell, ...]
    superseded: Mapping[Path, Path]


def make_tables(found: Sequence[Cell]) -> Tables:
    """Sort cells into rows and rows into tables, numbered from 1 in a stable order."""
    cells: list[Cell] = []
    drafts: dict[_Place, _Draft] = {}
    for cell in found:
        measured, cell = _measure(cell)
        cells.append(cell)
        if measured:
            setting, replicate = measured
            place = _Place(setting, "", configuration.key(cell.config))
            drafts.setdefault(place, _Draft([], [])).replicates.append(replicate)
    _add_unscored(drafts, cells)
    rows: dict[_Place, Row] = {}
    superseded: dict[Path, Path] = {}
    for place in sorted(drafts, key=_Place.order):
        rows[place], replaced = drafts[place].settle()
        superseded |= replaced
    return Tables(tuple(_number(rows)), tuple(cells), superseded)


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
        """The row with one cell per seed, and which cells gave way to which."""
        cells = [replicate.cell for replicate in self.replicates] + self.unscored
        best: dict[int | None, Cell] = {}
        for cell in sorted(cells, key=_believable):
            best[cell.seed] = cell
        kept = sorted(best.values(), key=lambda cell: (cell.seed is None, cell.seed))
        paths = {cell.path for cell in kept}
        row = Row(
            label="",
            method=kept[0].method,
            variant=next((cell.variant for cell in kept if cell.variant), ""),
            options=configuration.configuration(kept[0].config),
            cells=tuple(kept),
            replicates=tuple(
                sorted(
                    (each for each in self.replicates if each.cell.path in paths),
                    key=lambda each: each.seed,
                )
            ),
        )
        gone = {cell.path: best[cell.seed].path for cell in cells if cell.path not in paths}
        return row, gone


def _believable(cell: Cell) -> tuple[int, str, str]:
    """Of two cells of one configuration and seed the better finished, then the later, counts."""
    rank = ("missing", "unreadable", "failed", "unsupported", "partial", "ok").index(cell.status)
    return rank, cell.record.get("created", ""), str(cell.path)


def _measure(cell: Cell) -> tuple[tuple[Setting, Replicate] | None, Cell]:
    """Read a finished cell's figures; the cell comes back unreadable where they are no use."""
    if not cell.scored:
        return None, cell
    try:
        setting = Setting.of(cell.record)
        return (setting, _replicate(cell, setting)), cell
    except (UnreadableError, MetricError) as error:
        return None, replace(cell, status="unreadable", reason=str(error))


def _replicate(cell: Cell, setting: Setting) -> Replicate:
    as_preferences(setting.preferences)
    raw = read_scores(cell).means
    scores = Normaliser(setting.mean, setting.std).apply(raw)  # (points, prompts, m)
    ranked = ranked_points(cell.record)
    return Replicate(
        cell=cell,
        seed=cell.record["seed"],
        scores=scores[ranked],
        dialled=np.delete(scores, ranked, axis=0).mean(axis=1),
        drift=_drift(cell, ranked),
    )


def _drift(cell: Cell, ranked: Sequence[int]) -> dict[str, FloatArray]:
    drift = read_drift(cell)
    if drift is None:
        return {}
    if not set(ranked) <= set(drift.index):
        raise UnreadableError("drift.parquet: lacks some of the record's points")
    means = drift.loc[list(ranked)]
    return {str(name): means[name].to_numpy(dtype=float) for name in means}


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
    options = configuration.key(cell.config)
    own = configuration.configuration(cell.config)

    def likeness(place: _Place) -> tuple[bool, int]:
        others = configuration.configuration(drafts[place].replicates[0].cell.config)
        shared = sum(
            own.get(name) == value
            for name, value in others.items()
            if not name.startswith("method")
        )
        return place.options == options, shared

    candidates = [
        place
        for place in sorted(drafts, key=_Place.order)
        if place.setting
        and drafts[place].replicates
        and place.setting.benchmark == cell.benchmark
        and cell.record.get("model", {}).get("digest") in (None, place.setting.weights)
    ]
    if not candidates:
        return _Place(None, f"{cell.benchmark} {cell.model}", options)
    return max(candidates, key=likeness)._replace(options=options)


def _number(rows: "Mapping[_Place, Row]") -> Iterable[Table]:
    groups: dict[tuple[Setting | None, str], list[Row]] = {}
    for place, row in rows.items():
        groups.setdefault((place.setting, place.unscored), []).append(row)
    for number, ((setting, _), members) in enumerate(groups.items(), start=1):
        named = configuration.labels([(row.method, row.variant, row.options) for row in members])
        yield Table(
            number,
            setting.benchmark if setting else members[0].cells[0].benchmark,
            setting.model if setting else members[0].cells[0].model,
            setting,
            tuple(replace(row, label=label) for row, label in zip(members, named, strict=True)),
        )
