"""Environment variables that the source of a plug-in reads, such as `os.environ["SCALE"]`."""

from __future__ import annotations

import ast
import os
from collections.abc import Iterator

from paretosteer.runtime.secrets import is_secret_name
from paretosteer.runtime.variables import is_of_place

_GETS = ("get", "pop")
_SETS = ("setdefault", "putenv")


class Variables:
    """Variables that sources read by a name that they spell out."""

    def __init__(self) -> None:
        self._read: set[str] = set()
        self._set: set[str] = set()

    def read(self, tree: ast.Module) -> None:
        """Add those of one source."""
        for node in ast.walk(tree):
            for name, is_set in _named(node):
                (self._set if is_set else self._read).add(name)

    def values(self) -> dict[str, str | None]:
        """Values by name; None: not set.

        Left out are those that a source sets, those of the machine and the launcher, and secrets.
        """
        return {
            name: os.environ.get(name)
            for name in sorted(self._read - self._set)
            if not is_of_place(name) and not is_secret_name(name)
        }


def _named(node: ast.AST) -> Iterator[tuple[str, bool]]:
    """Names that an expression reads, or sets (True)."""
    if isinstance(node, ast.Subscript) and _called(node.value) == "environ":
        yield from _text(node.slice, not isinstance(node.ctx, ast.Load))
    elif isinstance(node, ast.Compare) and _called(node.comparators[0]) == "environ":
        yield from _text(node.left, False)
    elif isinstance(node, ast.Call):
        function = _called(node.func)
        owner = _called(node.func.value) if isinstance(node.func, ast.Attribute) else ""
        given = [*node.args[:1], *(each.value for each in node.keywords if each.arg == "key")]
        for argument in given:
            if function in _SETS and (owner == "environ" or function == "putenv"):
                yield from _text(argument, True)
            elif function == "getenv" or (function in _GETS and owner == "environ"):
                yield from _text(argument, False)


def _text(node: ast.expr, is_set: bool) -> Iterator[tuple[str, bool]]:
    if isinstance(node, ast.Constant) and isinstance(node.value, str):
        yield node.value, is_set


def _called(node: ast.expr) -> str:
    return node.attr if isinstance(node, ast.Attribute) else getattr(node, "id", "")
