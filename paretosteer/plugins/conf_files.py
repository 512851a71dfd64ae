"""Configuration files of packages and of the user.

A package declares its folder as an entry point:

    [project.entry-points."paretosteer.conf"]
    mine = "mine.conf"

The user names one with `--config-dir`, passed to workers through PARETOSTEER_CONFIG_DIR.
"""

from __future__ import annotations

import argparse
import os
from collections.abc import Sequence
from importlib.resources import files as resources
from pathlib import Path

from paretosteer.errors import UsageError
from paretosteer.plugins import registry

VARIABLE = "PARETOSTEER_CONFIG_DIR"


def declare(parser: argparse.ArgumentParser) -> None:
    """Add the option `--config-dir` to a parser."""
    parser.add_argument(
        "--config-dir",
        "-cd",
        action="append",
        metavar="DIR",
        help="folder with configuration files of your own, such as experiment/mine.yaml",
    )


def use(given: Sequence[str] | None) -> None:
    """Search this folder of the user in this process and its future children.

    UsageError if there are several.
    """
    if given and len(set(given)) > 1:
        raise UsageError(
            f"--config-dir: found {' and '.join(given)}; put the files into one folder"
        )
    if given:
        os.environ[VARIABLE] = str(Path(given[0]).absolute())


def own_folder() -> Path | None:
    """Folder of `--config-dir`; raise UsageError if it does not exist."""
    if not (name := os.environ.get(VARIABLE)):
        return None
    if not (folder := Path(name)).is_dir():
        raise UsageError(
            f"--config-dir: {name}: not a folder; give one with groups such as experiment/"
        )
    return folder


def folders() -> dict[str, Path]:
    """Folder with configuration files of every package and of the user; warn about missing ones."""
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
    if own := own_folder():
        by_package["--config-dir"] = own
    return by_package


def files() -> dict[str, Path]:
    """Every configuration file by relative path, such as `experiment/five_methods.yaml`.

    If several packages provide the same path, the first one wins, with ours first; warn about the
    others.

    Raises
    ------
    UsageError
        If the user's own folder has one of these paths.

    """
    ours = Path(str(resources("paretosteer.conf")))
    by_path: dict[str, tuple[str, Path]] = {}
    for package, folder in {"paretosteer.conf": ours, **folders()}.items():
        for path in _yaml_files(folder, ours if package == "--config-dir" else folder):
            relative = path.relative_to(folder).as_posix()
            first, _ = by_path.setdefault(relative, (package, path))
            if first != package == "--config-dir":
                raise UsageError(f"--config-dir: {path}: {first} has this file too; rename yours")
            if first != package:
                registry.note(
                    f"{relative} of {package}: {first} provides a file of this name; rename it"
                )
    return {relative: path for relative, (_, path) in by_path.items()}


def _yaml_files(folder: Path, groups: Path) -> list[Path]:
    """Configuration files of a folder, in groups that another one has: it may be a home folder."""
    names = {"benchmark", "hydra", *(path.name for path in groups.iterdir() if path.is_dir())}
    below = (path for name in names for path in (folder / name).rglob("*.yaml"))
    return sorted([*folder.glob("*.yaml"), *below])


def _folder(package: str) -> Path | None:
    """Folder of a package, which needs no `__init__.py`; nothing is imported."""
    root, *below = package.split(".")
    spec = registry.locate(root)
    for location in (spec and spec.submodule_search_locations) or ():
        if (folder := Path(location, *below)).is_dir():
            return folder
    return None
