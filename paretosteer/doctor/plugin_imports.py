"""Methods and benchmarks that others registered: do they import?"""

from __future__ import annotations

from collections.abc import Iterator
from importlib.metadata import distribution
from pathlib import Path
from typing import get_args

from paretosteer.doctor import Probe
from paretosteer.errors import UsageError, first_line
from paretosteer.findings import Finding
from paretosteer.plugins import registry

_GROUPS: tuple[registry.Group, ...] = get_args(registry.Group)


def plugins(_: Path) -> Iterator[Finding]:
    """Ours are only looked for: importing all of them takes seconds."""
    for group in _GROUPS:
        own = distribution("paretosteer").entry_points.select(group=f"paretosteer.{group}").names
        known = registry.names(group)
        shown = known if own else ["the built-in ones", *known]  # which are no entry points
        yield Finding("ok", group, ", ".join(shown))
        for name in own & set(known):
            if "module is missing" in registry.summary(group, name):
                yield Finding(
                    "fault", f"{group} {name}", "its module is missing", "install it again"
                )
        for name in sorted(set(known) - own):
            yield _plugin(group, name)


def _plugin(group: registry.Group, name: str) -> Finding:
    try:
        found = registry.load(group, name)
    except UsageError as error:
        told, _, remedy = first_line(error).rpartition("; ")
        return Finding("fault", f"plug-in {name}", told, remedy)
    return Finding("ok", f"plug-in {name}", f"{found.__module__}: {registry.summary(group, name)}")


PROBES: tuple[Probe, ...] = (plugins,)
