"""The page's account of every cell: what became of it, and how to make it again."""

import json
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from paretosteer.cells.cell import Cell
from paretosteer.report.analysis.tables import Tables
from paretosteer.report.page.html import Markup, element, plain_table, row

# Each cell's provenance is a few thousand characters, and a hundred columns are not read.
_MOST_CELLS, _MOST_TURNS = 300, 20

_SAFE = {"ok": "✓ ok", "partial": "◐ partial"}


def cells_section(found: Tables) -> Markup:
    """All cells: those that did not end well first, with their reasons, then provenance of each."""
    wrong = [cell for cell in found.cells if cell.status != "ok"]
    return element(
        "section",
        element("h2", "Cells", id="cells"),
        _grid(found.cells),
        *([element("h3", "Not ok"), _reasons(wrong[:_MOST_CELLS])] if wrong else []),
        element("h3", "Provenance"),
        *_left_out(len(found.cells)),
        *(_provenance(cell, found.superseded) for cell in _chosen(found.cells)),
    )


def _chosen(cells: Sequence[Cell]) -> list[Cell]:
    """All cells; of many those not ok, then one of every configuration, then others."""
    if len(cells) <= _MOST_CELLS:
        return list(cells)
    first = {(cell.method, cell.variant): cell.path for cell in reversed(cells)}
    alone = set(first.values())
    return sorted(cells, key=lambda cell: (cell.status == "ok", cell.path not in alone))[
        :_MOST_CELLS
    ]


def _left_out(count: int) -> list[Markup]:
    if count <= _MOST_CELLS:
        return []
    told = (
        f"{_MOST_CELLS} of {count} cells: those not ok, then one of every configuration, then "
        "others. All are in report.json, and each in its own record.json."
    )
    return [element("p", told, class_="soft")]


def _grid(cells: Sequence[Cell]) -> Markup:
    """Configurations by seeds and folds; of many of these, how many cells ended how."""
    turns = sorted({_turn(cell) for cell in cells if cell.seed is not None})
    rows: dict[tuple[str, str, str], dict[tuple[int, int | None], list[Cell]]] = {}
    for cell in cells:
        own = rows.setdefault((cell.benchmark, cell.method, cell.variant), {})
        own.setdefault(_turn(cell), []).append(cell)
    few = len(turns) <= _MOST_TURNS
    columns = [_named(seed, fold or None) for fold, seed in turns] if few else ["Cells"]
    head = ["Method", "Benchmark", *columns]
    lines = [
        row(
            f"{method} {variant}".strip(),
            element("td", benchmark),
            *(
                [_statuses(by_turn.get(turn, [])) for turn in turns]
                if few
                else [_counted([cell for own in by_turn.values() for cell in own])]
            ),
        )
        for (benchmark, method, variant), by_turn in sorted(rows.items())
    ]
    return plain_table(lines, head)


def _turn(cell: Cell) -> tuple[int, int | None]:
    return cell.fold or 0, cell.seed


def _named(seed: int | None, fold: int | None) -> str:
    return f"seed {seed}" if fold is None else f"seed {seed}, fold {fold}"


def _statuses(cells: Sequence[Cell]) -> Markup:
    marks = [_SAFE.get(cell.status, f"✗ {cell.status}") for cell in cells]
    fine = all(cell.status == "ok" for cell in cells)
    return element("td", ", ".join(marks), class_="ok" if fine else "not-ok")


def _counted(cells: Sequence[Cell]) -> Markup:
    """How many cells ended how."""
    counts = Counter(cell.status for cell in cells)
    marks = [f"{count} {_SAFE.get(status, f'✗ {status}')}" for status, count in counts.items()]
    return element("td", ", ".join(marks), class_="ok" if set(counts) == {"ok"} else "not-ok")


def _reasons(cells: Sequence[Cell]) -> Markup:
    return plain_table(
        [
            row(
                str(cell.path),
                element("td", cell.status, class_="not-ok"),
                element("td", cell.reason, class_="words"),
            )
            for cell in cells
        ]
    )


def _provenance(cell: Cell, superseded: Mapping[Path, Path]) -> Markup:
    name = f"{cell.method} {cell.variant}".strip()
    facts = list(_facts(cell))
    if cell.path in superseded:
        facts.append(("superseded by", f"{superseded[cell.path]}, which counts in its place"))
    parts = [part for key, value in facts for part in (element("dt", key), element("dd", value))]
    return element(
        "details",
        element("summary", f"{name}, {_named(cell.seed, cell.fold)}: {cell.status}"),
        element("dl", *parts),
    )


def _facts(cell: Cell) -> Iterator[tuple[str, str]]:
    record = cell.record
    yield "path", str(cell.path)
    if cell.reason:
        yield "reason", cell.reason
    if not record:
        return
    yield "command", element("code", record["command"])
    yield "identity", record["identity"]
    yield "created", record["created"]
    if "git" in record:
        dirty = " with uncommitted changes" if record["git"]["dirty"] else ""
        yield "commit", f"{record['git']['commit'] or 'none'}{dirty}"
    yield from (
        (title, _words(record[key]))
        for key, title in _TITLES.items()
        if record.get(key) not in (None, {}, [], "")
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
