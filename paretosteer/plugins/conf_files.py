"""Configuration files of packages, found through entry points `paretosteer.conf`.

[project.entry-points."paretosteer.conf"]
mine = "mine.conf"
"""

from __future__ import annotations

from importlib.resources import files as resources
from pathlib import Path

from paretosteer.plugins import registry


def folders() -> dict[str, Path]:
    """Folder with configuration files of every package; warn about missing ones."""
    # Folders instead of packages: Hydra would import a package, which may raise anything.
    by_package = {}
    for entry in registry.installed("conf"):
        if folder := _folder(entry.value):
            by_package[entry.value] = folder
        else:
            registry.note(
                f"configuration {entry.name!r}: package {entry.value!r} does not exist; repair or "
                "uninstall the package that provides it"
            )
    return by_package


def files() -> dict[str, Path]:
    """Every configuration file by relative path, such as `experiment/five_methods.yaml`.

    If several packages provide the same path, the first one wins, with ours first; warn about the
    others.
    """
    ours = Path(str(resources("paretosteer.conf")))
    by_path: dict[str, tuple[str, Path]] = {}
    for package, folder in {"paretosteer.conf": ours, **folders()}.items():
        for path in sorted(folder.rglob("*.yaml")):
            relative = path.relative_to(folder).as_posix()
            first, _ = by_path.setdefault(relative, (package, path))
            if first != package:
                registry.note(
                    f"{relative} of {package}: {first} provides a file of this name; rename it"
                )
    return {relative: path for relative, (_, path) in by_path.items()}


def _folder(package: str) -> Path | None:
    """Folder of a package, which needs no `__init__.py`; nothing is imported."""
    root, *below = package.split(".")
    spec = registry.locate(root)
    for location in (spec and spec.submodule_search_locations) or ():
        if (folder := Path(location, *below)).is_dir():
            return folder
    return None
