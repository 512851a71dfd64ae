"""What a plug-in file imports or names: modules and data of the user's own, packages, variables."""

from __future__ import annotations

import ast
import sys
from collections.abc import Iterable, Iterator, Mapping, Sequence
from functools import cache
from importlib.metadata import packages_distributions, version
from pathlib import Path

from paretosteer.plugins.imports import imported_names, module_spec, top_names
from paretosteer.plugins.named_files import named_files
from paretosteer.plugins.named_variables import Variables
from paretosteer.runtime.libraries import add_libraries, has_packages, is_ours
from paretosteer.storage.digest import digest, file_digest, input_digest

_CODE = {".py", ".so", ".pyd"}


def local_digests(files: Iterable[Path]) -> dict[str, str]:
    """`sources_digests` of the source files of a package."""
    return sources_digests((file.read_bytes(), file.parent) for file in files)


def sources_digests(given: Iterable[tuple[bytes, Path]], single: bool = False) -> dict[str, str]:
    """Digest of every file that sources import or name, directly or by what they import.

    Also digests of the environment variables that they read. The installed packages that they
    import are added to the libraries whose versions are recorded.

    Read from the sources and not from the modules loaded, which differ between processes: an import
    or a file whose name is computed is missed.

    Parameters
    ----------
    given
        Sources, each with its folder.
    single
        Whether they stand alone, so that their data may also lie in the working directory.

    """
    found: dict[str, str] = {}
    seen: set[str] = set()
    variables = Variables()
    sources = [*given]
    while sources:
        text, place = sources.pop()
        try:
            tree = ast.parse(text)
        except (SyntaxError, ValueError):  # not Python
            continue
        named = named_files(tree, place, single)
        found |= {name: input_digest(file) for name, file in named.items()}
        variables.read(tree)
        for name in sorted(top_names(imported_names(tree)) - seen):
            seen.add(name)
            for key, path in _files(name):
                found[key] = file_digest(path)
                sources.append((path.read_bytes(), path.parent))
            add_libraries(_versions(name))
    return found | {f"${name}": digest(value) for name, value in variables.values().items()}


def _files(name: str) -> Iterator[tuple[str, Path]]:
    """Files of code of a top-level module, by their names in it."""
    if name in sys.stdlib_module_names or name == "paretosteer":
        return
    if (spec := module_spec(name)) is None:
        return
    folders = [Path(folder) for folder in spec.submodule_search_locations or ()]
    single = [Path(spec.origin)] if spec.has_location and spec.origin and not folders else []
    for place in (*folders, *single):
        if has_packages(place.parent):
            continue
        if archive := next((path for path in place.parents if path.is_file()), None):
            yield archive.name, archive  # such as a zip file on the path
            continue
        for path in sorted(place.rglob("*")) if place in folders else [place]:
            if path.suffix in _CODE:
                yield path.relative_to(place.parent).as_posix(), path


def _versions(name: str) -> dict[str, str]:
    """Versions of the installed packages that give a module, without those of every record."""
    ours = is_ours(name) or is_ours(name.replace("_", "-"))
    if ours or name in sys.stdlib_module_names or (spec := module_spec(name)) is None:
        return {}
    places = [*(spec.submodule_search_locations or ()), *filter(None, [spec.origin])]
    if not any(has_packages(Path(place).parent) for place in places):
        return {}
    return {each: version(each) for each in _distributions().get(name, ())}


@cache
def _distributions() -> Mapping[str, Sequence[str]]:
    return packages_distributions()
