"""Finished cells that a reader may take for one another: repeats, and others under equal names."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterable, Iterator, Mapping
from typing import Any

from paretosteer.cells.cell import Cell
from paretosteer.runtime.progress import say
from paretosteer.storage.digest import digest

# Of a configuration, what does not describe the work.
_NO_SETTINGS = {"sweep_dir", "command", "tracker", "overwrite", "report"}


def settings_of(config: Mapping[str, Any]) -> dict[str, Any]:
    """The part of a cell's configuration that describes its work."""
    return {key: value for key, value in config.items() if key not in _NO_SETTINGS}


def warn_of_repeats(cells: Iterable[Cell]) -> None:
    """Print one warning if cells repeat others: an older run of the same settings, or a copy.

    A report uses the better or later one of them; readers of single cells get both.
    """
    found = list(_alike(cells, lambda cell: digest([settings_of(cell.config), cell.turn])))
    if found:
        cell, other = found[0]
        more = f" ({len(found)} cells repeat another)" if found[1:] else ""
        say(
            f"warning: {cell.path} repeats the settings and the seed of {other.path}, and both are "
            f"included{more}; a report uses one of them"
        )


def warn_of_units(cells: Iterable[Cell]) -> None:
    """Print one warning for scored cells whose names are the same and whose units are not."""
    found = [
        (cell, other)
        for cell, other in _alike(cells, _named)
        if cell.results.normaliser != other.results.normaliser
    ]
    if found:
        cell, other = found[0]
        more = f" ({len(found)} cells in all)" if found[1:] else ""
        say(
            f"warning: the values of {cell.path}{more} are in other units than those of "
            f"{other.path}, though benchmark and model have the same names; their start models or "
            "data differ"
        )


def _named(cell: Cell) -> Hashable:
    return cell.benchmark, cell.model, cell.fold, tuple(cell.results.objective_names)


def _alike(cells: Iterable[Cell], key: Callable[[Cell], Hashable]) -> Iterator[tuple[Cell, Cell]]:
    """Each cell after the first one with its key, and that first one."""
    first: dict[Hashable, Cell] = {}
    for cell in cells:
        other = first.setdefault(key(cell), cell)
        if other is not cell:
            yield cell, other
