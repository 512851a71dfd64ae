"""Files that the stages of a cell write, each whole or absent after a crash."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING

from paretosteer import method_outputs
from paretosteer.storage.atomic import atomic_folder, atomic_write

if TYPE_CHECKING:
    import pandas as pd

    from paretosteer.method import Method


def write_checkpoint(cell: Path, name: str, method: Method) -> list[str]:
    """Save a trained method into `checkpoint/`. Gives the files' names, relative to the cell."""
    folder = cell / "checkpoint"
    with atomic_folder(folder) as draft:
        method_outputs.save(name, method, draft)
    return [str(file.relative_to(cell)) for file in sorted(folder.iterdir())]


def write_table(path: Path, frame: pd.DataFrame) -> str:
    """Write a Parquet file. Gives its name."""
    with atomic_write(path) as draft:
        frame.to_parquet(draft, index=False)
    return path.name


def write_json_lines(path: Path, frame: pd.DataFrame | None) -> str:
    """Write one JSON object per row; an empty file where there is nothing to show."""
    rows = [] if frame is None else frame.to_dict("records")
    with atomic_write(path) as draft, draft.open("w", encoding="utf-8") as stream:
        stream.writelines(json.dumps(row, ensure_ascii=False) + "\n" for row in rows)
    return path.name
