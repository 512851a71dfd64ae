"""Objectives that are functions of the text alone, by name: a world's own, then plug-ins'."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from paretosteer import registry
from paretosteer.errors import UsageError, did_you_mean


@dataclass(frozen=True)
class TextObjective:
    """A named score of text, higher is better. `worst` is the least it can give, in `unit`; raise
    `version` when the same text would score differently."""

    name: str
    unit: str
    worst: float
    description: str
    version: str
    score: Callable[[str], float]


def chosen(names: Sequence[str], own: Mapping[str, TextObjective]) -> list[TextObjective]:
    """The objectives of these names; UsageError unless they are two or more that are known."""
    if len(names) < 2 or len(set(names)) < len(names):
        raise UsageError(
            f"benchmark.objectives: found {list(names)}, expected two or more different ones"
        )
    return [_by_name(name, own) for name in names]


def _by_name(name: str, own: Mapping[str, TextObjective]) -> TextObjective:
    further = registry.names("objectives")
    if name in own:
        if name in further:
            registry.note(f"objective {name!r} of a plug-in: the benchmark's own has that name")
        return own[name]
    if registry.find("objectives", name) is None:
        known = {*own, *further}
        raise UsageError(f"benchmark.objectives: {name!r} is unknown; {did_you_mean(name, known)}")
    found: TextObjective = registry.load("objectives", name)
    return found
