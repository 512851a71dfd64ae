"""Files of a finished cell that are not those of its record, such as another cell's."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from paretosteer.cells.cell import Cell
from paretosteer.cells.config_yaml import CONFIG
from paretosteer.runtime.progress import say
from paretosteer.storage.digest import file_digest

# Files that are shown, or that a reader takes for what ran.
SHOWN = (
    *("scores.parquet", "drift.parquet", "judge.parquet", "samples.jsonl", "training.csv"),
    CONFIG,
)


def changed_files(cell: Cell, names: Iterable[str] = SHOWN) -> Iterator[str]:
    """Those of the names whose files are there and have another digest than the record says."""
    recorded = cell.results.files
    for name in names:
        path = cell.path / name
        if name in recorded and path.is_file() and file_digest(path) != recorded[name]:
            yield name


def change_of(cell: Cell, name: str) -> str:
    """Sentence about a changed file."""
    so = (
        "but the cell ran with the configuration in its record.json"
        if name == CONFIG
        else "so its figures may be another cell's"
    )
    path = cell.path
    return (
        f"{path.parent.name}/{path.name}: {name} is not the file that was recorded, {so}; "
        "run the cell again."
    )


def warn_of_changes(changes: Iterable[tuple[Cell, Iterable[str]]]) -> None:
    """Print a warning for every changed file of some cells."""
    for cell, names in changes:
        for name in names:
            say(f"warning: {change_of(cell, name)}")
