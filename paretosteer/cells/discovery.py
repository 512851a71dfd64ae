"""Where cells are: folders that hold a record, or are named as cells are."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from pathlib import Path

from paretosteer.cells.record import RECORD

CELL_NAME = re.compile(r"seed(\d+)-[0-9a-f]{10}")


def cells_below(folder: Path) -> Iterator[Path]:
    """Cells at or below a folder, by name; links are not followed, nor anything inside a cell."""
    for place, below, names in os.walk(folder):
        below.sort()
        path = Path(place)
        if RECORD in names or CELL_NAME.fullmatch(path.name):
            below.clear()
            yield path
