"""Data files that a plug-in's source names, such as a `words.json` beside it."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

LONGEST = 255  # characters of a path
WRITES = ("write_text", "write_bytes", "touch", "unlink", "mkdir")


def named_files(tree: ast.Module, folder: Path, single: bool = False) -> dict[str, Path]:
    """Existing files that the strings in a source name, by these strings.

    Paths are relative to the source's folder, to one of the two above if it looks for those, or, of
    a `single` file, to the working directory. Strings that are joined by `/` or in a call, as in
    `Path(__file__).parent / "data" / "words.json"`, are one path, also below a folder that another
    string names. A string that begins with a slash may follow a folder, as in
    `f"{here}/words.json"`. A name that is computed is missed. Files that the source opens for
    writing are left out.
    """
    written = {id(node) for call in ast.walk(tree) for node in _written(call)}
    strings = {
        path
        for node in ast.walk(tree)
        if id(node) not in written
        for path in _paths(node)
        if len(path) <= LONGEST and path.isprintable()
    }
    below = ["", *sorted(path for path in strings if (folder / path).is_dir())]
    names = [f"{start}/{path}" if start else path for start in below for path in sorted(strings)]
    places = [folder, *(list(folder.parents)[:2] if _climbs(tree) else ())]
    places += [Path.cwd()] if single else []
    found = {}
    for name in names:
        if "." in name or "/" in name:
            paths = [place / own for own in (_absolute(name), name.lstrip("/")) for place in places]
            if file := next((path for path in paths if path.is_file()), None):
                found[name] = file
    return found


def _climbs(tree: ast.Module) -> bool:
    """True for a source with `.parents[…]`, `.parent.parent` or `dirname(dirname(…))`."""
    return any(
        (
            isinstance(node, ast.Attribute)
            and (node.attr == "parents" or (node.attr == "parent" and _is(node.value, "parent")))
        )
        or (
            isinstance(node, ast.Call)
            and _is(node.func, "dirname")
            and any(isinstance(each, ast.Call) and _is(each.func, "dirname") for each in node.args)
        )
        for node in ast.walk(tree)
    )


def _is(node: ast.AST, name: str) -> bool:
    return name in (getattr(node, "attr", None), getattr(node, "id", None))


def _absolute(name: str) -> Path:
    return Path.home() / name[2:] if name.startswith("~/") else Path(name)


def _paths(node: ast.AST) -> Iterator[str]:
    """Path of a string, or of strings that are joined."""
    if isinstance(node, ast.Constant) or (
        isinstance(node, ast.BinOp) and isinstance(node.op, ast.Div)
    ):
        parts = _parts(node)
    elif isinstance(node, ast.Call):  # such as Path("data", "words.json") or os.path.join
        parts = [part for argument in node.args for part in _parts(argument)]
    else:
        return
    if parts:
        yield "/".join(parts)


def _parts(node: ast.AST) -> list[str]:
    if isinstance(node, ast.Constant):
        return [node.value] if isinstance(node.value, str) and node.value else []
    if isinstance(node, ast.BinOp) and isinstance(node.op, ast.Div):
        return _parts(node.left) + _parts(node.right)
    return []


def _written(node: ast.AST) -> Iterator[ast.AST]:
    """Nodes below a call that name a file which is written."""
    if not isinstance(node, ast.Call):
        return
    function = node.func
    if isinstance(function, ast.Attribute) and function.attr in WRITES:
        yield from ast.walk(function.value)
    name = function.attr if isinstance(function, ast.Attribute) else getattr(function, "id", "")
    modes = [*node.args, *(keyword.value for keyword in node.keywords)]
    if name == "open" and any(isinstance(m, ast.Constant) and _is_write(m.value) for m in modes):
        yield from ast.walk(node)


def _is_write(mode: object) -> bool:
    return isinstance(mode, str) and len(mode) <= 3 and mode[:1] in ("w", "a", "x")
