"""What a plug-in file imports or names: modules and data of the user's own, packages, variables."""

from __future__ import annotations

import ast
import sys
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from functools import cache
from importlib.machinery import ModuleSpec
from importlib.metadata import packages_distributions, version
from pathlib import Path

from paretosteer.plugins.named_files import named_files
from paretosteer.plugins.named_variables import Variables
from paretosteer.runtime.libraries import add_libraries
from paretosteer.storage.digest import digest, file_digest, input_digest

_CODE = {".py", ".so", ".pyd"}


def local_digests(files: Iterable[Path], single: bool = False) -> dict[str, str]:
    """Digest of every file that source files import or name, directly or by what they import.

    Also digests of the environment variables that they read. The installed packages that they
    import are added to the libraries whose versions are recorded.

    Read from the sources and not from the modules loaded, which differ between processes: an import
    or a file whose name is computed is missed.

    Parameters
    ----------
    files
        Source files.
    single
        Whether they stand alone, so that their data may also lie above them or in the working
        directory.

    """
    return sources_digests(((file.read_bytes(), file.parent) for file in files), single)


def sources_digests(given: Iterable[tuple[bytes, Path]], single: bool = False) -> dict[str, str]:
    """`local_digests` of sources, each with its folder."""
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
        for name in sorted(_tops(_imported(tree)) - seen):
            seen.add(name)
            for key, path in _files(name):
                found[key] = file_digest(path)
                sources.append((path.read_bytes(), path.parent))
            add_libraries(_versions(name))
    return found | {f"${name}": digest(value) for name, value in variables.values().items()}


def shadowed(source: bytes, folder: Path) -> str:
    """Message on an import that is another module than the one of its name in the folder.

    Also on those of modules in the folder that it imports, by a name that both have.
    """
    read: set[Path] = set()
    sources = [source]
    while sources:
        try:
            imported = _imported(ast.parse(sources.pop()))
        except (SyntaxError, ValueError):  # a helper that cannot be imported either
            continue
        for name in sorted(_tops(imported) - {"paretosteer"}):
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
    return module.__spec__ if module else _spec(name)


def _dotted(name: str, place: Path) -> str:
    """Name of the module in a file of the package `name`."""
    return ".".join([name, *place.with_suffix("").parts]).removesuffix(".__init__")


def _has_packages(folder: Path) -> bool:
    return next(folder.glob("*.dist-info"), None) is not None


def _imported(tree: ast.Module) -> set[str]:
    """Names in all absolute imports, also by `import_module("name")`; members of modules too."""
    names: set[str] = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and not node.level:
            names |= {str(node.module), *(f"{node.module}.{alias.name}" for alias in node.names)}
        elif isinstance(node, ast.Call) and _is_import(node.func):
            first = node.args[0] if node.args else None
            if isinstance(first, ast.Constant) and isinstance(first.value, str):
                names.add(first.value)
    return names


def _tops(names: Iterable[str]) -> set[str]:
    return {name.partition(".")[0] for name in names}


def _is_import(function: ast.expr) -> bool:
    name = function.attr if isinstance(function, ast.Attribute) else getattr(function, "id", None)
    return name in ("import_module", "__import__")


def _files(name: str) -> Iterator[tuple[str, Path]]:
    """Files of code of a top-level module, by their names in it."""
    if name in sys.stdlib_module_names or name == "paretosteer":
        return
    if (spec := _spec(name)) is None:
        return
    folders = [Path(folder) for folder in spec.submodule_search_locations or ()]
    single = [Path(spec.origin)] if spec.has_location and spec.origin and not folders else []
    for place in (*folders, *single):
        if _has_packages(place.parent):
            continue
        if archive := next((path for path in place.parents if path.is_file()), None):
            yield archive.name, archive  # such as a zip file on the path
            continue
        for path in sorted(place.rglob("*")) if place in folders else [place]:
            if path.suffix in _CODE:
                yield path.relative_to(place.parent).as_posix(), path


def _versions(name: str) -> dict[str, str]:
    """Versions of the installed packages that give a module."""
    if name in sys.stdlib_module_names or name == "paretosteer" or (spec := _spec(name)) is None:
        return {}
    places = [*(spec.submodule_search_locations or ()), *filter(None, [spec.origin])]
    if not any(_has_packages(Path(place).parent) for place in places):
        return {}
    return {each: version(each) for each in _distributions().get(name, ())}


@cache
def _distributions() -> Mapping[str, Sequence[str]]:
    return packages_distributions()


def _spec(name: str) -> ModuleSpec | None:
    finders = (finder.find_spec(name, None) for finder in sys.meta_path)
    return next((spec for spec in finders if spec), None)
