"""Modules of the user's own that a plug-in file imports, such as a `helpers.py` beside it."""

from __future__ import annotations

import ast
import sys
from collections.abc import Iterable, Iterator
from pathlib import Path

from paretosteer.storage.digest import file_digest


def local_digests(source: bytes, loaded: Iterable[str] = ()) -> dict[str, str]:
    """Digest of every file of the modules that are imported, directly or by each other.

    `loaded` names further modules: those that running the file loaded by another statement than
    `import`.

    Modules of Python and of installed packages, which have versions, are left out.
    """
    found: dict[str, str] = {}
    seen: set[str] = set()
    names = _imported(source) | {name.partition(".")[0] for name in loaded}
    while names:
        sources: list[bytes] = []
        for name in sorted(names):
            seen.add(name)
            for key, path in _files(name):
                found[key] = file_digest(path)
                sources.append(path.read_bytes())
        names = set().union(*map(_imported, sources)) - seen
    return found


def _imported(source: bytes) -> set[str]:
    """Top-level names of all absolute imports; none of a file that is not Python."""
    try:
        nodes = list(ast.walk(ast.parse(source)))
    except (SyntaxError, ValueError):
        return set()
    names = [alias.name for node in nodes if isinstance(node, ast.Import) for alias in node.names]
    names += [str(n.module) for n in nodes if isinstance(n, ast.ImportFrom) and not n.level]
    return {name.partition(".")[0] for name in names}


def _files(name: str) -> Iterator[tuple[str, Path]]:
    """Python files of a top-level module, by their names in it."""
    if name in sys.stdlib_module_names or name == "paretosteer":
        return
    finders = (finder.find_spec(name, None) for finder in sys.meta_path)
    if (spec := next((spec for spec in finders if spec), None)) is None:
        return
    folders = [Path(folder) for folder in spec.submodule_search_locations or ()]
    single = [Path(spec.origin)] if spec.has_location and spec.origin and not folders else []
    for place in (*folders, *single):
        if next(place.parent.glob("*.dist-info"), None):  # a folder of installed packages
            continue
        for path in sorted(place.rglob("*.py")) if place in folders else [place]:
            yield path.relative_to(place.parent).as_posix(), path
