"""Finished cells of the same settings, seed and fold, such as an older run or a copy."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from paretosteer.cells.cell import Cell
from paretosteer.runtime.progress import say
from paretosteer.storage.digest import digest

# Of a configuration, what does not describe the work.
NO_SETTINGS = {"sweep_dir", "command", "tracker", "overwrite", "report"}


def settings_of(config: Mapping[str, Any]) -> dict[str, Any]:
    """The part of a cell's configuration that describes its work."""
    return {key: value for key, value in config.items() if key not in NO_SETTINGS}


def warn_of_repeats(cells: Iterable[Cell]) -> None:
    """Print one warning if cells repeat others.

    A report uses the better or later one of them; readers of single cells get both.
    """
    first: dict[str, Cell] = {}
    repeats: list[tuple[Cell, Cell]] = []
    for cell in cells:
        other = first.setdefault(digest([settings_of(cell.config), cell.turn]), cell)
        if other is not cell:
            repeats.append((cell, other))
    if repeats:
        cell, other = repeats[0]
        more = f" ({len(repeats)} cells repeat another)" if repeats[1:] else ""
        say(
            f"warning: {cell.path} repeats the settings and the seed of {other.path}, and both are "
            f"included{more}; a report uses one of them"
        )
