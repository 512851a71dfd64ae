"""Match the cells of a report with those in its folder, and find what has changed since."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from paretosteer.cells.record import ScoredRecord
from paretosteer.validation.cell_verdict import Found

Parts = tuple[str, ...]
_LEAST = 3  # benchmark, method and cell


@dataclass(frozen=True)
class Matched:
    """Cells of a report by the paths it names, and how those here differ from them.

    `elsewhere` are those that were never below the report's sweep.
    """

    here: Mapping[str, Found]
    elsewhere: int
    differences: str


def match(reported: Sequence[Mapping[str, Any]], sweep: Path, cells: Sequence[Found]) -> Matched:
    """Find a report's cells among those below its sweep, wherever that was when it was made."""
    own = {each.verdict.path.resolve().relative_to(sweep).parts: each for each in cells}
    places = {each["path"]: _place(Path(each["path"]).parts, own) for each in reported}
    home = _home(places)
    here = {
        path: place
        for path, place in places.items()
        if place and _root(path, place) == home  # another sweep may have a cell of the same name
    }
    lost = [path for path in places if path not in here]
    gone = [path for path in lost if not here or Path(path).parts[: len(home)] == home]
    changed = [
        each["path"]
        for each in reported
        if each["path"] in here and not _same(each, own[here[each["path"]]])
    ]
    added = own.keys() - set(here.values())
    counts = {"changed": len(changed), "added": len(added), "removed": len(gone)}
    return Matched(
        {path: own[place] for path, place in here.items()},
        len(lost) - len(gone),
        ", ".join(f"{count} {word}" for word, count in counts.items() if count),
    )


def _place(parts: Parts, own: Mapping[Parts, Found]) -> Parts | None:
    """Longest suffix of a path that is the place of a cell."""
    ends = (parts[-length:] for length in range(len(parts), _LEAST - 1, -1))
    return next((end for end in ends if end in own), None)


def _root(path: str, place: Parts) -> Parts:
    parts = Path(path).parts
    return parts[: len(parts) - len(place)]


def _home(places: Mapping[str, Parts | None]) -> Parts:
    """Folder of the sweep when the report was made: the one above most of its cells."""
    roots = Counter(_root(path, place) for path, place in places.items() if place)
    return roots.most_common(1)[0][0] if roots else ()


def _same(reported: Mapping[str, Any], found: Found) -> bool:
    """True if a cell is still the one that was reported; both may lack a readable record."""
    record = found.record
    created = record.created if record else None
    files = record.files if isinstance(record, ScoredRecord) else None
    return reported.get("created") == created and reported.get("files") == files
