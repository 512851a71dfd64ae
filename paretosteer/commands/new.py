"""`paretosteer new`: write a small working package to start a plug-in from."""

from __future__ import annotations

import argparse
import keyword
import re
from importlib.resources import files
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING

from paretosteer.commands.arguments import command
from paretosteer.errors import UsageError
from paretosteer.plugins import registry

if TYPE_CHECKING:
    from paretosteer.commands.arguments import Commands

# How a new plug-in is tried, by kind.
_TRY: dict[str, str] = {
    "method": "run --plugin {module} method={name} budget=smoke",
    "benchmark": "run --plugin {module} benchmark={name} budget=smoke",
    "objective": "run --plugin {module} 'benchmark.objectives=[{name},varied]' budget=smoke",
    "metric": "report results/default --plugin {module}",
}

_GROUPS: dict[str, registry.Group] = {
    "method": "methods",
    "benchmark": "benchmarks",
    "objective": "objectives",
    "metric": "metrics",
}


def add(commands: Commands) -> None:
    """Declare the command."""
    parser = command(
        commands,
        "new",
        "write a working skeleton of a plug-in, with its test",
        _new,
        """paretosteer new method tilted_soup
        paretosteer new objective calm --out ~/plugins/calm
        paretosteer new metric spread""",
    )
    parser.add_argument("kind", choices=tuple(_TRY), help="kind of plug-in")
    parser.add_argument("name", metavar="NAME", help="name of the plug-in, such as tilted_soup")
    parser.add_argument("--out", type=Path, metavar="DIR", help="folder to create (default: NAME)")


def _new(args: argparse.Namespace) -> int:
    folder = write_skeleton(args.kind, args.name, args.out or Path(args.name))
    module = folder / f"{args.name}.py"
    print(
        f"{folder}: a working {args.kind}; edit {module}, then\n"
        f"  pytest {folder}\n"
        f"  paretosteer {_TRY[args.kind].format(module=module, name=args.name)}"
    )
    return 0


def write_skeleton(kind: str, name: str, folder: Path) -> Path:
    """Write the skeleton of a plug-in into a new folder; UsageError for an invalid name."""
    template = {file.name: file.read_text(encoding="utf-8") for file in _template(kind)}
    old = f"my_{kind}"
    words = set(re.findall(r"\w+", template[f"{old}.py"]))
    _check_name(kind, name, words - {old, _class(old)})
    try:
        folder.mkdir(parents=True)
    except FileExistsError:
        raise UsageError(f"--out: {str(folder)!r} already exists; choose a new folder") from None
    except OSError as error:
        raise UsageError(
            f"--out: {str(folder)!r} cannot be created ({error.strerror}); choose a folder of yours"
        ) from None
    for file, text in template.items():
        place = folder / file.replace(old, name)
        place.write_text(_renamed(text, old, name), encoding="utf-8")
    return folder


def _check_name(kind: str, name: str, used: set[str]) -> None:
    """Raise UsageError unless the name is valid for a module, a plug-in and a class."""
    if not re.fullmatch("[a-z][a-z0-9_]*", name) or keyword.iskeyword(name):
        raise UsageError(
            f"name: {name!r} is not a valid module name; use lowercase letters, digits and "
            "underscores, such as tilted_soup"
        )
    if name in registry.names(_GROUPS[kind]):
        raise UsageError(f"name: {name!r} is already a {kind}; choose another")
    if name in used or _class(name) in used or find_spec(name) is not None:
        raise UsageError(
            f"name: {name!r} would shadow a module or class of that name; choose another"
        )


def _renamed(text: str, old: str, new: str) -> str:
    """Text of the template with its names replaced: of module, constant, class and title."""
    for form in (str.lower, str.upper, _class, _title, lambda name: _title(name).lower()):
        text = text.replace(form(old), form(new))
    return text


def _title(name: str) -> str:
    return name.replace("_", " ").capitalize()


def _class(name: str) -> str:
    return "".join(part.capitalize() for part in name.split("_"))


def _template(kind: str) -> list[Path]:
    folder = Path(str(files("paretosteer"))) / "templates" / kind
    return sorted(path for path in folder.iterdir() if path.is_file())
