"""Data of the page's list of cells: status, reason and provenance of each."""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from paretosteer.cells.cell import Cell
from paretosteer.cells.record import Record
from paretosteer.report.analysis.evaluate_table import DAMAGE_MARK
from paretosteer.report.analysis.replicates import damage_of
from paretosteer.report.analysis.tables import Tables
from paretosteer.report.columns import section

# Each cell's provenance is a few thousand characters, and a hundred columns are not read.
_MOST_CELLS, _MOST_TURNS = 300, 20

_MARKS = {"ok": "✓", "partial": "◐"}


def cell_anchors(tables: Tables) -> dict[Path, str]:
    """Anchor of each cell's provenance, by path; only of those shown."""
    return {cell.path: f"cell-{place}" for place, cell in enumerate(_selection(tables.cells), 1)}


def cell_list(tables: Tables) -> dict[str, Any]:
    """All cells by configuration and seed, then those not ok, then the provenance of each."""
    selected, anchors = _selection(tables.cells), cell_anchors(tables)
    warnings = _warnings(tables)
    return {
        "count": len(tables.cells),
        "warned": bool(warnings),
        "statuses": Counter(cell.status for cell in tables.cells),
        **_grid(tables.cells, anchors, warnings),
        "problems": [cell for cell in tables.cells if cell.status != "ok"][:_MOST_CELLS],
        "provenance": [
            {
                "anchor": anchors[cell.path],
                "title": f"{_configuration(cell)}, {turn_title(cell)}: {cell.status}",
                "facts": list(_facts(cell, tables.superseded, warnings)),
            }
            for cell in selected
        ],
    }


def _selection(cells: Sequence[Cell]) -> list[Cell]:
    """All cells; if there are many, those not ok, then one per configuration, then others."""
    if len(cells) <= _MOST_CELLS:
        return list(cells)
    first = {(cell.method, cell.variant): cell.path for cell in reversed(cells)}
    alone = set(first.values())
    return sorted(cells, key=lambda cell: (cell.status == "ok", cell.path not in alone))[
        :_MOST_CELLS
    ]


def _warnings(tables: Tables) -> dict[Path, str]:
    """Warnings of cells whose texts are usually damaged."""
    replicates = (each for table in tables.tables for row in table.rows for each in row.replicates)
    damages = {each.cell.path: damage_of([each]) for each in replicates}
    return {path: damage.sentence for path, damage in damages.items() if damage}


def _grid(
    cells: Sequence[Cell], anchors: Mapping[Path, str], warnings: Mapping[Path, str]
) -> dict[str, Any]:
    """Configurations by seeds and folds, or where there are many of these counts of statuses.

    An entry lists its statuses, each with the anchor of its cell's provenance, "" if not shown.
    """
    turns = sorted({_turn(cell) for cell in cells if cell.seed is not None})
    few = len(turns) <= _MOST_TURNS
    rows: dict[tuple[str, str, str], list[Cell]] = {}
    for cell in cells:
        rows.setdefault((cell.benchmark, cell.method, cell.variant), []).append(cell)

    def entries(own: Sequence[Cell]) -> list[dict[str, Any]]:
        if not few:
            counts = Counter(cell.status for cell in own)
            marks = [f"{count} {_mark(status)}" for status, count in counts.items()]
            return [{"marks": [(", ".join(marks), "")], "ok": set(counts) == {"ok"}}]
        by_turn = [[cell for cell in own if _turn(cell) == turn] for turn in turns]
        return [
            {
                "marks": [
                    (
                        _mark(cell.status) + (f" {DAMAGE_MARK}" if cell.path in warnings else ""),
                        anchors.get(cell.path, ""),
                    )
                    for cell in each
                ],
                "ok": {cell.status for cell in each} <= {"ok"},
            }
            for each in by_turn
        ]

    return {
        "columns": [_title(seed, fold or None) for fold, seed in turns] if few else ["Cells"],
        "grid": [
            {"name": _configuration(own[0]), "benchmark": own[0].benchmark, "entries": entries(own)}
            for _, own in sorted(rows.items())
        ],
    }


def _mark(status: str) -> str:
    return f"{_MARKS.get(status, '✗')} {status}"


def _configuration(cell: Cell) -> str:
    return f"{cell.method} {cell.variant}".strip()


def _turn(cell: Cell) -> tuple[int, int | None]:
    return cell.fold or 0, cell.seed


def turn_title(cell: Cell) -> str:
    """Seed and fold of a cell in words."""
    return _title(cell.seed, cell.fold)


def _title(seed: int | None, fold: int | None) -> str:
    return f"seed {seed}" if fold is None else f"seed {seed}, fold {fold}"


def _facts(
    cell: Cell, superseded: Mapping[Path, Path], warnings: Mapping[Path, str]
) -> Iterator[tuple[str, str]]:
    yield "path", str(cell.path)
    if cell.path in warnings:
        yield "warning", warnings[cell.path]
    if cell.reason:
        yield "reason", cell.reason
    if cell.record:
        yield from _provenance(cell.record)
    if cell.path in superseded:
        yield "superseded by", f"{superseded[cell.path]}, which counts in its place"


def _provenance(record: Record) -> Iterator[tuple[str, str]]:
    yield "command", record.command
    yield "identity", record.identity
    yield "created", record.created
    dirty = " with uncommitted changes to the code" if record.git.dirty else ""
    yield "commit", f"{record.git.commit}{dirty}" if record.git.commit else "not from a checkout"
    recorded = record.as_dict()
    if cost := recorded.get("cost"):
        yield "cost", _spent(cost)
    yield from (
        (title, text) for key, title in _TITLES.items() if (text := _words(recorded.get(key)))
    )


_TITLES = {
    "fold": "fold",
    "kl_coefficient": "KL coefficient",
    "source_digest": "source digest",
    "plugins": "plug-ins",
    "versions": "versions",
    "model": "start model",
    "device": "device",
    "dtype": "precision",
    "batch_size": "batch sizes",
    "seeds": "seeds",
    "stages": "stage digests",
    "files": "file digests",
    "n_failed": "samples not scored",
    "reward_models": "reward models",
    "selection": "chosen by the method",
    "notes": "notes",
    "config": "configuration",
}


def _spent(cost: Mapping[str, Any]) -> str:
    """Cost on one line, as the table of costs writes it."""
    seconds = {f"seconds_{stage}": each for stage, each in cost["seconds"].items()}
    figures = {name: each for name, each in {**cost, **seconds}.items() if each is not None}
    return ", ".join(
        f"{column.title} {column.text(figures)}"
        for column in section("cost")
        if column.name in figures
    )


def _words(value: Any) -> str:
    """A recorded value on one line: a mapping as `key value` pairs with dotted keys, without null.

    "" if there is nothing to say.
    """
    if isinstance(value, Mapping):
        return ", ".join(f"{key} {text}" for key, text in _pairs(value))
    if isinstance(value, Sequence) and not isinstance(value, str):
        apart = "; " if any(isinstance(each, Mapping) for each in value) else ", "
        return apart.join(map(_words, value))
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, int):
        return str(value) if abs(value) < 10_000 else f"{value:,}"
    if isinstance(value, float):
        return f"{value:,.0f}" if abs(value) >= 10_000 else f"{value:.4g}"
    return "" if value is None else str(value)


def _pairs(value: Mapping[str, Any], prefix: str = "") -> Iterator[tuple[str, str]]:
    for key, each in value.items():
        if isinstance(each, Mapping):
            yield from _pairs(each, f"{prefix}{key}.")
        elif text := _words(each):
            yield f"{prefix}{key}", text
