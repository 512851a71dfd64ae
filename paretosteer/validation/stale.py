"""Which cells a report is of, and whether they are still those that are here."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from paretosteer.validation.cells import Found

Parts = tuple[str, ...]
_LEAST = 3  # benchmark, method and cell


@dataclass(frozen=True)
class Matched:
    """The cells of a report: by the path it gives them, and how they differ from what is here.

    `elsewhere` are those that were never below the report's sweep.
    """

    here: Mapping[str, Found]
    elsewhere: int
    differences: str


def match(reported: Sequence[Mapping[str, Any]], sweep: Path, cells: Sequence[Found]) -> Matched:
    """Find a report's cells among those below its sweep, wherever that was when it was made."""
    own = {each.verdict.path.resolve().relative_to(sweep).parts: each for each in cells}
    matched, lost, roots = {}, [], set()
    for each in reported:
        parts = Path(each["path"]).parts
        if (place := _place(parts, own)) is not None:
            matched[each["path"]] = place
            roots.add(parts[: len(parts) - len(place)])
        else:
            lost.append(parts)
    gone = [parts for parts in lost if not roots or any(_below(parts, root) for root in roots)]
    changed = [
        each["path"]
        for each in reported
        if each["path"] in matched and not _same(each, own[matched[each["path"]]])
    ]
    added = own.keys() - set(matched.values())
    counts = {"changed": len(changed), "added": len(added), "removed": len(gone)}
    return Matched(
        {path: own[place] for path, place in matched.items()},
        len(lost) - len(gone),
        ", ".join(f"{count} {word}" for word, count in counts.items() if count),
    )


def _place(parts: Parts, own: Mapping[Parts, Found]) -> Parts | None:
    """The longest end of a path that is the place of a cell."""
    ends = (parts[-length:] for length in range(len(parts), _LEAST - 1, -1))
    return next((end for end in ends if end in own), None)


def _below(parts: Parts, root: Parts) -> bool:
    return parts[: len(root)] == root


def _same(reported: Mapping[str, Any], found: Found) -> bool:
    """Whether a cell is still the one that was reported; both may know nothing of it."""
    return all(reported.get(name) == found.record.get(name) for name in ("created", "files"))
