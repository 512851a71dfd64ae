"""What a plug-in file imports or names: modules and data of the user's own, packages, variables."""

from __future__ import annotations

import ast
import sys
from collections.abc import Iterator, Mapping, Sequence
from functools import cache
from importlib.machinery import ModuleSpec
from importlib.metadata import packages_distributions, version
from pathlib import Path

from paretosteer.plugins.named_files import named_files
from paretosteer.plugins.named_variables import named_variables
from paretosteer.runtime.libraries import library_versions
from paretosteer.storage.digest import digest, file_digest, input_digest

_CODE = {".py", ".so", ".pyd"}


def local_digests(source: bytes, folder: Path) -> dict[str, str]:
    """Digest of every file that a plug-in file imports or names, directly or by what it imports.

    Also the versions of installed packages that it imports, as far as records do not state them
    anyway, and digests of the environment variables that it reads.

    Read from the source and not from the modules loaded, which differ between processes: an import
    or a file whose name is computed is missed.
    """
    found: dict[str, str] = {}
    seen: set[str] = set()
    sources = [(source, folder)]
    while sources:
        text, place = sources.pop()
        try:
            tree = ast.parse(text)
        except (SyntaxError, ValueError):  # not Python
            continue
        found |= {name: input_digest(file) for name, file in named_files(tree, place).items()}
        found |= {f"${name}": digest(value) for name, value in named_variables(tree).items()}
        for name in sorted(_imported(tree) - seen):
            seen.add(name)
            for key, path in _files(name):
                found[key] = file_digest(path)
                sources.append((path.read_bytes(), path.parent))
            found |= _versions(name)
    return found


def folder_digests(folder: Path) -> dict[str, str]:
    """`local_digests` of all Python files at or below a folder."""
    found: dict[str, str] = {}
    for path in sorted(folder.rglob("*.py")):
        found |= local_digests(path.read_bytes(), path.parent)
    return found


def shadowed(source: bytes, folder: Path) -> str:
    """Message on an import that is another module than the one of its name in the folder.

    Also on those of modules in the folder that it imports, by a name that both have.
    """
    seen: set[str] = set()
    sources = [source]
    while sources:
        try:
            names = _imported(ast.parse(sources.pop())) - seen
        except (SyntaxError, ValueError):  # a helper that cannot be imported either
            continue
        seen |= names
        for name in sorted(names):
            beside = [folder / f"{name}.py", folder / name / "__init__.py"]
            files = [path for path in beside if path.is_file()]
            found = _place(name)
            if not files and not _is_installed(name, found):  # a package without __init__.py
                beside, files = [folder / name], list((folder / name).rglob("*.py"))
            if files and found.resolve() not in [path.resolve() for path in beside]:
                return f"its import {name!r} is not the one beside it, but {found}; rename {name!r}"
            sources += [path.read_bytes() for path in files]
    return ""


def _place(name: str) -> Path:
    """File of a module that is imported, or will be; the first folder of one without a file."""
    module = sys.modules.get(name)  # absent where a function imports it later
    spec = module.__spec__ if module else _spec(name)
    folders = list(spec.submodule_search_locations or ()) if spec else []
    return Path((spec and spec.origin) or (folders[0] if folders else "built in"))


def _is_installed(name: str, path: Path) -> bool:
    """True for a module of Python or of an installed package."""
    top = path.parent.parent if path.name == "__init__.py" else path.parent
    return name in sys.stdlib_module_names or _has_packages(top)


def _has_packages(folder: Path) -> bool:
    return next(folder.glob("*.dist-info"), None) is not None


def _imported(tree: ast.Module) -> set[str]:
    """Top-level names of all absolute imports, also by `import_module("name")`."""
    nodes = list(ast.walk(tree))
    names = [alias.name for node in nodes if isinstance(node, ast.Import) for alias in node.names]
    names += [str(n.module) for n in nodes if isinstance(n, ast.ImportFrom) and not n.level]
    names += [
        argument.value
        for node in nodes
        if isinstance(node, ast.Call) and _is_import(node.func)
        for argument in node.args[:1]
        if isinstance(argument, ast.Constant) and isinstance(argument.value, str)
    ]
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
    """Versions of the installed packages that give a module, without those in every record."""
    if name in sys.stdlib_module_names or name in _recorded() or (spec := _spec(name)) is None:
        return {}
    places = [*(spec.submodule_search_locations or ()), *filter(None, [spec.origin])]
    if not any(_has_packages(Path(place).parent) for place in places):
        return {}
    return {f"{each} (version)": version(each) for each in _distributions().get(name, ())}


@cache
def _recorded() -> set[str]:
    """Modules whose packages' versions are in every record."""
    return {name.replace("-", "_") for name in library_versions()}


@cache
def _distributions() -> Mapping[str, Sequence[str]]:
    return packages_distributions()


def _spec(name: str) -> ModuleSpec | None:
    finders = (finder.find_spec(name, None) for finder in sys.meta_path)
    return next((spec for spec in finders if spec), None)
