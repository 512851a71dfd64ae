"""Python, the libraries and the plug-ins: their versions, and whether they import."""

from __future__ import annotations

import platform
import sys
from collections.abc import Iterator
from importlib import import_module
from importlib.metadata import PackageNotFoundError, distribution, version
from pathlib import Path
from typing import get_args

from packaging.requirements import Requirement
from packaging.specifiers import SpecifierSet

from paretosteer.doctor import Probe
from paretosteer.errors import UsageError, first_line
from paretosteer.findings import Finding
from paretosteer.plugins import registry

_SHOWN = ("torch", "transformers", "peft", "accelerate", "datasets", "numpy", "pandas", "moocore")
_COMPILED = ("numpy", "pandas", "pyarrow", "torch")
_GROUPS: tuple[registry.Group, ...] = get_args(registry.Group)


def python(_: Path) -> Iterator[Finding]:
    """Versions of Python and of paretosteer."""
    found = f"{platform.python_version()} ({sys.executable})"
    needed = distribution("paretosteer").metadata["Requires-Python"] or ""
    if SpecifierSet(needed).contains(platform.python_version(), prereleases=True):
        yield Finding("ok", "python", found)
    else:
        yield Finding("fault", "python", found, f"paretosteer needs {needed}")
    folder = Path(__file__).parent.parent
    yield Finding("ok", "paretosteer", f"{version('paretosteer')} ({folder})")


def libraries(_: Path) -> Iterator[Finding]:
    """Versions of the libraries, against what paretosteer requires."""
    shown = [f"{name} {found}" for name in _SHOWN if (found := _version(name))]
    yield Finding("ok", "libraries", ", ".join(shown))
    for text in distribution("paretosteer").requires or ():
        requirement = Requirement(text)
        if requirement.marker and not requirement.marker.evaluate({"extra": ""}):
            continue
        name, needed = requirement.name, requirement.specifier
        found = _version(name)
        if found is None or not needed.contains(found, prereleases=True):
            found = f"{found or 'not installed'}, needed {needed}"
            yield Finding("fault", name, found, f"pip install '{name}{needed}'")


def imports(_: Path) -> Iterator[Finding]:
    """Check that compiled libraries load: one may be installed but broken."""
    for name in _COMPILED:
        try:
            import_module(name)
        except Exception as error:
            found = f"cannot be imported: {type(error).__name__}: {first_line(error)}"
            yield Finding("fault", name, found, f"pip install --force-reinstall {name}")


def plugins(_: Path) -> Iterator[Finding]:
    """Check that plug-ins of other packages import. Importing all of ours would take seconds."""
    for group in _GROUPS:
        own = distribution("paretosteer").entry_points.select(group=f"paretosteer.{group}").names
        for name in sorted(set(registry.names(group)) - own):
            yield _plugin(group, name)


def _plugin(group: registry.Group, name: str) -> Finding:
    try:
        module = registry.load(group, name).__module__
    except UsageError as error:
        found, _, remedy = first_line(error).rpartition("; ")
        return Finding("fault", f"plug-in {name}", found, remedy)
    return Finding("ok", f"plug-in {name}", f"{registry.singular(group)} of {module}")


def _version(name: str) -> str | None:
    try:
        return version(name)
    except PackageNotFoundError:
        return None


PROBES: tuple[Probe, ...] = (python, libraries, imports, plugins)
