"""Versions of Python, of paretosteer and of what it is built on."""

from __future__ import annotations

import platform
import sys
from collections.abc import Iterator
from importlib import import_module
from importlib.metadata import PackageNotFoundError, distribution, version
from pathlib import Path

from packaging.requirements import Requirement
from packaging.specifiers import SpecifierSet
from packaging.utils import canonicalize_name

from paretosteer.doctor import Probe
from paretosteer.errors import first_line
from paretosteer.findings import Finding

_OURS = "paretosteer"
_TOLD = ("torch", "transformers", "peft", "accelerate", "datasets", "numpy", "pandas", "moocore")
_GIVES = {
    "joblib": "several cells at once: launcher=joblib",
    "slurm": "cells as jobs of a Slurm cluster",
    "ray": "cells on a Ray cluster",
    "rouge": "the ROUGE objectives of experiment=xsum",
    "dashboards": "export-wandb --dashboard",
}
_DEVELOPERS = ("dev",)
_COMPILED = ("numpy", "pandas", "pyarrow", "torch")
_MOST_TOLD = 5


def python(_: Path) -> Iterator[Finding]:
    """Python's version, and ours, against what our metadata asks for."""
    from paretosteer import __version__

    here = platform.python_version()
    wanted = distribution(_OURS).metadata["Requires-Python"] or ""
    told = f"{here} ({sys.executable})"
    if SpecifierSet(wanted).contains(here, prereleases=True):
        yield Finding("ok", "python", told)
    else:
        yield Finding("fault", "python", told, f"paretosteer needs {wanted}")
    yield Finding("ok", _OURS, f"{__version__} ({Path(__file__).parent.parent})")


def libraries(_: Path) -> Iterator[Finding]:
    """The libraries that we ask for ourselves."""
    wanted = [each for each in _requirements(_OURS) if _applies(each)]
    unmet = [each for each in wanted if _unmet(each)]
    told = [f"{name} {found}" for name in _TOLD if (found := _version(name))]
    if not unmet:
        yield Finding("ok", "libraries", ", ".join(told))
        return
    for each in unmet:
        yield Finding(
            "fault",
            str(each.name),
            f"{_version(each.name) or 'not installed'}, needed {each.specifier}",
            f"pip install '{each.name}{each.specifier}'",
        )


def imports(_: Path) -> Iterator[Finding]:
    """Whether what every run needs can be loaded: a library may be there, and broken."""
    for name in _COMPILED:
        try:
            import_module(name)
        except Exception as error:
            told = f"cannot be imported: {type(error).__name__}: {first_line(error)}"
            yield Finding("fault", name, told, f"pip install --force-reinstall {name}")


def conflicts(_: Path) -> Iterator[Finding]:
    """What the libraries ask of each other, as `pip check` says it."""
    seen, waiting, broken = {_OURS}, [_OURS], []
    while waiting:
        owner = waiting.pop()
        for each in _requirements(owner):
            if not _applies(each):
                continue
            if owner != _OURS and (why := _unmet(each)):
                broken.append(f"{owner} needs {each.name}{each.specifier}, {why}")
            name = canonicalize_name(each.name)
            if name not in seen and _version(name):
                seen.add(name)
                waiting.append(name)
    if broken:
        more = f"; {len(broken) - _MOST_TOLD} more" if len(broken) > _MOST_TOLD else ""
        told = "; ".join(sorted(broken)[:_MOST_TOLD]) + more
        yield Finding("fault", "conflicts", told, "install paretosteer into a new environment")
    else:
        yield Finding("ok", "conflicts", f"none among {len(seen)} packages")


def extras(_: Path) -> Iterator[Finding]:
    """What can be installed beside, and what for."""
    for extra in distribution(_OURS).metadata.get_all("Provides-Extra") or ():
        if extra in _DEVELOPERS:
            continue
        wanted = [each for each in _requirements(_OURS) if _applies(each, extra) > _applies(each)]
        gives = f" ({_GIVES[extra]})" if extra in _GIVES else ""
        absent = [each.name for each in wanted if _unmet(each)]
        if absent:
            remedy = f"pip install 'paretosteer[{extra}]'"
            yield Finding("ok", f"extra {extra}", f"not installed{gives}", remedy)
        else:
            yield Finding("ok", f"extra {extra}", f"installed{gives}")


def _requirements(name: str) -> list[Requirement]:
    try:
        return [Requirement(text) for text in distribution(name).requires or ()]
    except PackageNotFoundError:
        return []


def _applies(requirement: Requirement, extra: str = "") -> bool:
    return requirement.marker is None or requirement.marker.evaluate({"extra": extra})


def _unmet(requirement: Requirement) -> str:
    """Why a requirement is not met; nothing where it is."""
    found = _version(requirement.name)
    if found is None:
        return "which is not installed"
    return "" if requirement.specifier.contains(found, prereleases=True) else f"found {found}"


def _version(name: str) -> str | None:
    try:
        return version(name)
    except PackageNotFoundError:
        return None


PROBES: tuple[Probe, ...] = (python, libraries, imports, conflicts, extras)
