"""Find cells on disk, and what keeps them from being found."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

from paretosteer.cells.cell_name import seed_of
from paretosteer.cells.record import RECORD
from paretosteer.errors import UsageError

_WANDB = ("wandb", ".wandb")  # where wandb links to its latest run


def cells_below(folder: Path) -> Iterator[Path]:
    """Cells at or below a folder, sorted by name.

    A cell holds a record or has a cell's name; a folder of that name that holds only folders is
    none. Descends into a folder that merely holds a record, such as a copied cell, but not into one
    named as a cell. Links are not followed, since a folder from elsewhere may link to anything.
    """
    for place, below, names in os.walk(folder):
        below.sort()
        path = Path(place)
        named = seed_of(path.name) is not None and bool(names or not below)
        if named or RECORD in names:
            yield path
        if named:
            below.clear()


def links_below(folder: Path) -> Iterator[Path]:
    """Links to folders below a folder, which `cells_below` does not follow."""
    for place, below, _ in os.walk(folder):
        path = Path(place)
        if path.name in _WANDB or seed_of(path.name) is not None:
            below.clear()
        yield from (path / name for name in sorted(below) if (path / name).is_symlink())


def check_no_link(cell: Path, sweep: Path) -> None:
    """UsageError if a cell's folder is behind a link below that of its sweep."""
    below = [place for place in (cell, *cell.parents) if place.is_relative_to(sweep)]
    if links := [place for place in below if place != sweep and place.is_symlink()]:
        raise UsageError(
            f"sweep_dir: {str(links[0])!r} is a link, behind which no report finds a cell; move "
            "the folder back, or make sweep_dir itself the link"
        )
