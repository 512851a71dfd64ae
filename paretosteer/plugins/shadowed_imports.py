"""Imports of a plug-in file that are not the modules beside it, but others of their names."""

from __future__ import annotations

import ast
import sys
from collections.abc import Collection
from importlib.machinery import ModuleSpec
from pathlib import Path

from paretosteer.plugins.imports import imported_names, module_spec, top_names


def shadowed(source: bytes, folder: Path) -> str:
    """Message on an import that is another module than the one of its name in the folder.

    Also on those of modules in the folder that it imports, by a name that both have.
    """
    read: set[Path] = set()
    sources = [source]
    while sources:
        try:
            imported = imported_names(ast.parse(sources.pop()))
        except (SyntaxError, ValueError):  # a helper that cannot be imported either
            continue
        for name in sorted(top_names(imported) - {"paretosteer"}):
            if found := _elsewhere(name, imported, folder):
                return f"its import {name!r} is not the one beside it, but {found}; rename {name!r}"
            files = set(_beside(name, folder)) - read
            read |= files
            sources += [path.read_bytes() for path in sorted(files)]
    return ""


def _elsewhere(name: str, imported: Collection[str], folder: Path) -> str:
    """Where an import comes from that the folder has too; empty if from there, or not there."""
    spec = _imported_spec(name)
    own = [
        path for path in (folder / f"{name}.py", folder / name / "__init__.py") if path.is_file()
    ]
    if own:
        found = spec.origin if spec and spec.origin else "built in"
        return "" if Path(found).resolve() in [path.resolve() for path in own] else found
    portions = [Path(each) for each in (spec and spec.submodule_search_locations) or ()]
    for path in _beside(name, folder):
        place = path.relative_to(folder / name)
        first = next((each for each in portions if (each / place).is_file()), folder / name)
        if _dotted(name, place) in imported and first.resolve() != (folder / name).resolve():
            return str(first)
    return ""


def _beside(name: str, folder: Path) -> list[Path]:
    """Source files of a module or package in the folder.

    Python prefers any module with a file to a package without `__init__.py`.
    """
    module, package = folder / f"{name}.py", folder / name
    files = sorted(package.rglob("*.py"))
    if not (package / "__init__.py").is_file():
        spec = _imported_spec(name)
        files = [] if spec and spec.origin else files
    return [module, *files] if module.is_file() else files


def _imported_spec(name: str) -> ModuleSpec | None:
    module = sys.modules.get(name)  # absent where a function imports it later
    return module.__spec__ if module else module_spec(name)


def _dotted(name: str, place: Path) -> str:
    """Name of the module in a file of the package `name`."""
    return ".".join([name, *place.with_suffix("").parts]).removesuffix(".__init__")
