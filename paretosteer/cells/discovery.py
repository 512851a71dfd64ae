"""Find cells on disk: folders that hold a record, or that are named as cells are."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

from paretosteer.cells.cell_name import seed_of
from paretosteer.cells.record import RECORD
from paretosteer.errors import UsageError
from paretosteer.runtime.progress import say
from paretosteer.runtime.terminal import line

_WANDB = "wandb"  # where wandb links to its latest run


def cells_below(folder: Path) -> Iterator[Path]:
    """Cells at or below a folder, sorted by name.

    Does not descend into a folder that is named as a cell, but into one that only holds a record,
    such as a copied one. Links are not followed, since a folder from elsewhere may link to
    anything; they are named.
    """
    for place, below, names in os.walk(folder):
        below.sort()
        path = Path(place)
        named = seed_of(path.name) is not None and bool(names or not below)
        if named or RECORD in names:
            yield path
        if named:
            below.clear()
            continue
        if path.name == _WANDB:
            continue
        for link in (path / name for name in below if (path / name).is_symlink()):
            say(line(f"{link}: warning: is a link and not followed; give the folder it leads to"))


def check_no_link(cell: Path, sweep: Path) -> None:
    """UsageError if a cell's folder is behind a link below that of its sweep."""
    below = [place for place in (cell, *cell.parents) if place.is_relative_to(sweep)]
    if links := [place for place in below if place != sweep and place.is_symlink()]:
        raise UsageError(
            f"sweep_dir: {str(links[0])!r} is a link, behind which no report finds a cell; move "
            "the folder back, or make sweep_dir itself the link"
        )
