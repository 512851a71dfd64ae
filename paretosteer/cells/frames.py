"""Finished cells as pandas frames: what a sweep recorded, for notebooks and for the report.

    from paretosteer import load_cells, load_points

A folder is a cell if it holds a `record.json` or is named as cells are. A cell whose record cannot
be read is a row with the reason, never skipped; one without a record was interrupted and is
"missing". Frames are made from the files on disk, however the cells were launched.
"""

import os
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from paretosteer.cells.cell import Cell, find_cells
from paretosteer.cells.scores import read_scores, read_values
from paretosteer.errors import UsageError

if TYPE_CHECKING:
    import pandas as pd


def load_cells(*dirs: str | os.PathLike[str]) -> "pd.DataFrame":
    """One row per cell found at or below the folders.

    Returns
    -------
    Columns `path, benchmark, model, method, variant, seed, fold, status, reason, identity, record`.

    Raises
    ------
    UsageError
        If there is none.
    """
    import pandas as pd

    return pd.DataFrame(
        {
            **_names(cell),
            "status": cell.status,
            "reason": cell.reason,
            "identity": cell.record.identity if cell.record else "",
            "record": cell.record.as_dict() if cell.record else {},
        }
        for cell in find_cells(*dirs)
    )


def load_points(*dirs: str | os.PathLike[str]) -> "pd.DataFrame":
    """One row per finished cell, point and objective.

    Returns
    -------
    The cell's names, then `point`, `dials` (a dict), `objective`, `weight` (of that objective in
    the point's preference), `raw` (mean over prompts) and `value` (the same in start-model
    standard units, regularised where the record has a `kl_coefficient`).
    """
    import pandas as pd

    return pd.DataFrame(row for cell in _finished(dirs) for row in _point_rows(cell))


def load_scores(*dirs: str | os.PathLike[str]) -> "pd.DataFrame":
    """One row per scored sample of every finished cell: its names, then `scores.parquet`."""
    import pandas as pd

    frames = [
        pd.read_parquet(cell.path / "scores.parquet").assign(**_names(cell))
        for cell in _finished(dirs)
    ]
    together = pd.concat(frames, ignore_index=True)
    names = list(_names(find_cells(*dirs)[0]))
    return together[names + [column for column in together if column not in names]]


def _names(cell: Cell) -> dict[str, Any]:
    return {
        "path": str(cell.path),
        "benchmark": cell.benchmark,
        "model": cell.model,
        "method": cell.method,
        "variant": cell.variant,
        "seed": cell.seed,
        "fold": cell.fold,
    }


def _finished(dirs: tuple[str | os.PathLike[str], ...]) -> list[Cell]:
    cells = [cell for cell in find_cells(*dirs) if cell.scored]
    if not cells:
        raise UsageError(f"{', '.join(map(str, dirs))}: no cell has scores; see `load_cells`")
    return cells


def _point_rows(cell: Cell) -> Iterator[dict[str, Any]]:
    raw = read_scores(cell).means.mean(axis=1)  # (points, m)
    values = read_values(cell).mean(axis=1)
    for index, point in enumerate(cell.results.points):
        for i, objective in enumerate(cell.results.objective_names):
            yield {
                **_names(cell),
                "point": index,
                "dials": point.dials,
                "objective": objective,
                "weight": point.preference[i],
                "raw": raw[index, i],
                "value": values[index, i],
            }
