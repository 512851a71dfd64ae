"""Samples without a score, counted by what they were drawn for.

Only the scores of test samples are part of a cell. Those of other samples act on its training and
its units, where one of them that is missing could not be seen.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import asdict, dataclass
from typing import Any

_LEFT_OUT = "calibration"  # samples whose moments are the units


@dataclass(frozen=True)
class Unscored:
    """Samples of one purpose, and how many of them objectives could not score."""

    purpose: str
    failed: int
    total: int
    objectives: tuple[str, ...]  # names of those objectives

    def as_dict(self) -> dict[str, Any]:
        """Counts as JSON, which `of` reads."""
        return asdict(self)

    @classmethod
    def of(cls, stored: dict[str, Any]) -> Unscored:
        """Counts that `as_dict` returned."""
        return cls(**stored | {"objectives": tuple(stored["objectives"])})


def telling(counts: Mapping[str, Unscored]) -> dict[str, dict[str, Any]]:
    """Counts as JSON by what counted them, of the purposes of which samples have no score."""
    failed = {each.purpose for each in counts.values() if each.failed}
    return {key: each.as_dict() for key, each in counts.items() if each.purpose in failed}


def sentences(counts: Iterable[Unscored]) -> Iterator[str]:
    """One sentence for every purpose of which samples have no score."""
    by_purpose: dict[str, list[Unscored]] = {}
    for each in counts:
        by_purpose.setdefault(each.purpose, []).append(each)
    for purpose, own in by_purpose.items():
        if failed := sum(each.failed for each in own):
            total = sum(each.total for each in own)
            names = ", ".join(sorted({name for each in own for name in each.objectives}))
            handling = "left out of the units" if purpose == _LEFT_OUT else "given the worst value"
            yield (
                f"{failed} of {total} {purpose} samples could not be scored by {names}, and were "
                f"{handling}."
            )
