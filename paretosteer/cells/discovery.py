"""Find cells on disk: folders that hold a record, or that are named as cells are."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

from paretosteer.cells.cell_name import seed_of
from paretosteer.cells.record import RECORD


def cells_below(folder: Path) -> Iterator[Path]:
    """Cells at or below a folder, sorted by name. Does not follow links or descend into a cell."""
    for place, below, names in os.walk(folder):
        below.sort()
        path = Path(place)
        if RECORD in names or seed_of(path.name) is not None:
            below.clear()
            yield path
