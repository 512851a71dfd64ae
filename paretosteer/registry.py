"""Methods and benchmarks by name, found through Python entry points.

Names and summaries are read without importing anything of a plug-in: `paretosteer list` stays fast,
and a plug-in that does not import disturbs nobody until it is asked for by name.
"""

from __future__ import annotations

import ast
import sys
from functools import cache
from importlib.machinery import ModuleSpec
from importlib.metadata import EntryPoint, entry_points
from itertools import accumulate
from pathlib import Path
from typing import Any, Literal

from paretosteer.errors import UsageError, did_you_mean

Group = Literal["methods", "benchmarks"]


@cache
def _entries(group: Group) -> dict[str, EntryPoint]:
    return {entry.name: entry for entry in entry_points(group=f"paretosteer.{group}")}


def names(group: Group) -> list[str]:
    """Every registered name, sorted."""
    return sorted(_entries(group))


def load(group: Group, name: str) -> Any:
    """The class registered under `name`; UsageError for an unknown or broken plug-in."""
    entry = _entry(group, name)
    try:
        return entry.load()
    except Exception as error:  # a plug-in's module can raise anything while it is imported
        raise UsageError(
            f"{group[:-1]} {name!r} ({entry.value}) cannot be imported: "
            f"{type(error).__name__}: {error}; repair or uninstall what provides it"
        ) from error


def summary(group: Group, name: str) -> str:
    """First line of the docstring of the module that defines `name`, without running it."""
    spec = _locate(_entry(group, name).module)
    if spec is None or spec.origin is None:
        return "(its module is missing)"
    return docstring(Path(spec.origin)).partition("\n")[0]


def docstring(source: Path, *, of_class: bool = False) -> str:
    """Docstring of a Python file, or of its first class, without running it."""
    try:
        module = ast.parse(source.read_bytes())
    except (OSError, SyntaxError, ValueError) as error:
        return f"(unreadable: {type(error).__name__})"
    classes = [node for node in module.body if isinstance(node, ast.ClassDef)]
    return ast.get_docstring(classes[0] if of_class and classes else module) or ""


def _entry(group: Group, name: str) -> EntryPoint:
    known = _entries(group)
    if name not in known:
        raise UsageError(f"{name!r} is not a registered {group[:-1]}; {did_you_mean(name, known)}")
    return known[name]


def _locate(module: str) -> ModuleSpec | None:
    """What `importlib.util.find_spec` finds, but parent packages are not imported either."""
    spec: ModuleSpec | None = None
    for name in accumulate(module.split("."), "{}.{}".format):
        path = spec.submodule_search_locations if spec else None
        found = (finder.find_spec(name, path) for finder in sys.meta_path)
        spec = next((candidate for candidate in found if candidate), None)
        if spec is None:
            return None
    return spec
