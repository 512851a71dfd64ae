"""What the source of a module imports, and where Python finds it."""

from __future__ import annotations

import ast
import sys
from collections.abc import Iterable
from importlib.machinery import ModuleSpec


def imported_names(tree: ast.Module) -> set[str]:
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


def top_names(names: Iterable[str]) -> set[str]:
    """Top-level modules of dotted names."""
    return {name.partition(".")[0] for name in names}


def _is_import(function: ast.expr) -> bool:
    name = function.attr if isinstance(function, ast.Attribute) else getattr(function, "id", None)
    return name in ("import_module", "__import__")


def module_spec(name: str) -> ModuleSpec | None:
    """Where Python finds a top-level module now, without importing it."""
    finders = (finder.find_spec(name, None) for finder in sys.meta_path)
    return next((spec for spec in finders if spec), None)
