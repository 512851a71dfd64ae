"""Data of the page's list of cells: status, reason and provenance of each."""

import json
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from paretosteer.cells.cell import Cell
from paretosteer.cells.record import Record
from paretosteer.report.analysis.evaluate_table import DAMAGE_MARK
from paretosteer.report.analysis.replicates import damage_of
from paretosteer.report.analysis.tables import Tables

# Each cell's provenance is a few thousand characters, and a hundred columns are not read.
_MOST_CELLS, _MOST_TURNS = 300, 20

_MARKS = {"ok": "✓", "partial": "◐"}


def cell_list(tables: Tables) -> dict[str, Any]:
    """All cells by configuration and seed, then those not ok, then the provenance of each."""
    selected = _selection(tables.cells)
    anchors = {cell.path: f"cell-{place}" for place, cell in enumerate(selected, 1)}
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
                "title": f"{_configuration(cell)}, {_title(cell.seed, cell.fold)}: {cell.status}",
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
    dirty = " with uncommitted changes" if record.git.dirty else ""
    yield "commit", f"{record.git.commit or 'none'}{dirty}"
    recorded = record.as_dict()
    yield from (
        (title, _words(recorded[key]))
        for key, title in _TITLES.items()
        if recorded.get(key) not in (None, {}, [], "")
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
    "cost": "cost",
    "n_failed": "samples not scored",
    "reward_models": "reward models",
    "selection": "chosen by the method",
    "notes": "notes",
    "config": "configuration",
}


def _words(value: Any) -> str:
    """A recorded value on one line: `key value` pairs of a flat mapping, else JSON."""
    if isinstance(value, Mapping) and not any(isinstance(each, Mapping) for each in value.values()):
        return ", ".join(f"{key} {each}" for key, each in value.items())
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
