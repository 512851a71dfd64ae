"""Finished cells as pandas frames: what a sweep recorded, for notebooks and for the report.

    from paretosteer import load_cells, load_points

See `cells_below` for which folders are cells. A cell whose record cannot be read is a row with the
reason, never skipped; one without a record was interrupted and is "missing". Frames are made from
the files on disk, however the cells were launched.
"""

import os
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any

from paretosteer.cells.cell import Cell, find_cells
from paretosteer.cells.cells_alike import settings_of, warn_of_repeats, warn_of_units
from paretosteer.cells.changed_files import changed_files, warn_of_changes
from paretosteer.cells.scores import read_scores, read_values
from paretosteer.config.dotted_names import by_dotted_name
from paretosteer.errors import UsageError

if TYPE_CHECKING:
    import pandas as pd


def load_cells(*dirs: str | os.PathLike[str], records: bool = False) -> "pd.DataFrame":
    """One row per cell found at or below the folders.

    Parameters
    ----------
    dirs
        Folders that sweeps wrote.
    records
        Add a column `record` with the whole record as a dict.

    Returns
    -------
    'pd.DataFrame'
        Columns `path, benchmark, model, method, variant, seed, fold, status, reason, identity`,
        then one column per setting (`method.rank`, `budget.steps`) and cost (`cost.train_steps`,
        `cost.seconds.train`). A value is missing where a cell has no such setting.

    Raises
    ------
    UsageError
        If there is none.
    """
    import pandas as pd

    return pd.DataFrame(_cell_row(cell, records) for cell in find_cells(*dirs))


def load_points(*dirs: str | os.PathLike[str]) -> "pd.DataFrame":
    """One row per finished cell, point and objective.

    Returns
    -------
    'pd.DataFrame'
        The cell's names, then `point`, one column `dial.NAME` per dial (missing where the point has
        none), the point's preference as `w.NAME` per objective, `objective`, `weight` (of that
        objective in the preference), `raw` (mean over prompts) and `value` (the same in start-model
        standard units, regularised where the record has a `kl_coefficient`).

    Examples
    --------
    >>> points = load_points("results/default")  # doctest: +SKIP
    >>> points.pivot(index=["method", "seed", "point"], columns="objective", values="value")
    ... # doctest: +SKIP
    """
    import pandas as pd

    cells = _finished(dirs)
    warn_of_units(cells)
    return pd.DataFrame(row for cell in cells for row in _point_rows(cell))


def load_scores(*dirs: str | os.PathLike[str]) -> "pd.DataFrame":
    """One row per scored sample of every finished cell: its cell, then `scores.parquet`."""
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


def _cell_row(cell: Cell, records: bool) -> dict[str, Any]:
    record = cell.record.as_dict() if cell.record else {}
    row = {
        **_names(cell),
        "status": cell.status,
        "reason": cell.reason,
        "identity": record.get("identity", ""),
        **{
            key: value
            for key, value in _flat(settings_of(cell.config))
            if key not in ("method.name", "seed")
        },
        **dict(_flat({"cost": record.get("cost", {})})),
    }
    return row | {"record": record} if records else row


def _flat(values: Mapping[str, Any]) -> Iterator[tuple[str, Any]]:
    """Values by dotted name; a list becomes a tuple, which can be grouped by."""
    for name, value in by_dotted_name(values):
        if not isinstance(value, Mapping):  # an empty one is no setting
            yield name, tuple(value) if isinstance(value, list) else value


def _finished(dirs: tuple[str | os.PathLike[str], ...]) -> list[Cell]:
    cells = [cell for cell in find_cells(*dirs) if cell.scored]
    if not cells:
        raise UsageError(f"{', '.join(map(str, dirs))}: no cell has scores; see `load_cells`")
    warn_of_changes((cell, changed_files(cell, ["scores.parquet"])) for cell in cells)
    warn_of_repeats(cells)
    return cells


def _point_rows(cell: Cell) -> Iterator[dict[str, Any]]:
    raw = read_scores(cell).means.mean(axis=1)  # (points, m)
    values = read_values(cell).mean(axis=1)
    names = cell.results.objective_names
    for index, point in enumerate(cell.results.points):
        weights = {f"w.{name}": w for name, w in zip(names, point.preference, strict=True)}
        for i, objective in enumerate(names):
            yield {
                **_names(cell),
                "point": index,
                **{f"dial.{name}": value for name, value in point.dials.items()},
                **weights,
                "objective": objective,
                "weight": point.preference[i],
                "raw": raw[index, i],
                "value": values[index, i],
            }
