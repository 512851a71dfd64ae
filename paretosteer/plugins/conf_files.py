"""Configuration files that packages bring: entry points `paretosteer.conf` that name a package.

[project.entry-points."paretosteer.conf"]
mine = "mine.conf"
"""

from __future__ import annotations

from importlib.resources import files as resources
from pathlib import Path

from paretosteer.plugins import registry


def folders() -> dict[str, Path]:
    """By package, the folder of its configuration files; one that is not there is said.

    A folder and not a package: Hydra would import the package, and that may raise anything.
    """
    found = {}
    for entry in registry.installed("conf"):
        if folder := _folder(entry.value):
            found[entry.value] = folder
        else:
            registry.note(
                f"configuration {entry.name!r}: there is no package {entry.value!r}; repair or "
                "uninstall what provides it"
            )
    return found


def files() -> dict[str, Path]:
    """Every configuration file by its place, such as `experiment/five_methods.yaml`.

    Of several in one place the first counts, ours before others'; the rest are said.
    """
    ours = Path(str(resources("paretosteer.conf")))
    found: dict[str, tuple[str, Path]] = {}
    for package, folder in {"paretosteer.conf": ours, **folders()}.items():
        for path in sorted(folder.rglob("*.yaml")):
            place = path.relative_to(folder).as_posix()
            first, _ = found.setdefault(place, (package, path))
            if first != package:
                registry.note(f"{place} of {package}: {first} brings a file of that name")
    return {place: path for place, (_, path) in found.items()}


def _folder(package: str) -> Path | None:
    """The folder of a package; it needs no `__init__.py`, and nothing is imported."""
    root, *below = package.split(".")
    spec = registry.locate(root)
    for place in (spec and spec.submodule_search_locations) or ():
        if (folder := Path(place, *below)).is_dir():
            return folder
    return None
