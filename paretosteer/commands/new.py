"""`paretosteer new`: write a small working package to start a method from."""

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

# Names in the template, which is itself a working method.
MODULE, CLASS, TITLE = "my_method", "MyMethod", "My method"


def add(commands: Commands) -> None:
    """Declare the command."""
    parser = command(
        commands,
        "new",
        "write a working skeleton of a method, with its test",
        _new,
        """paretosteer new method tilted_soup
        paretosteer new method tilted_soup --out ~/work/tilted""",
    )
    parser.add_argument("kind", choices=("method",), help="kind of skeleton")
    parser.add_argument("name", metavar="NAME", help="name of the method, such as tilted_soup")
    parser.add_argument("--out", type=Path, metavar="DIR", help="folder to create (default: NAME)")


def _new(args: argparse.Namespace) -> int:
    folder = write_method(args.name, args.out or Path(args.name))
    module = folder / f"{args.name}.py"
    print(
        f"{folder}: a working method; edit {module}, then\n"
        f"  pytest {folder}\n"
        f"  paretosteer run --plugin {module} method={args.name} budget=smoke"
    )
    return 0


def write_method(name: str, folder: Path) -> Path:
    """Write the skeleton of a method into a new folder; UsageError for an invalid name."""
    template = {file.name: file.read_text(encoding="utf-8") for file in _template()}
    _check_name(name, set(re.findall(r"\w+", template[f"{MODULE}.py"])))
    try:
        folder.mkdir(parents=True)
    except FileExistsError:
        raise UsageError(f"--out: {str(folder)!r} already exists; choose a new folder") from None
    except OSError as error:
        raise UsageError(
            f"--out: {str(folder)!r} cannot be created ({error.strerror}); choose a folder of yours"
        ) from None
    for file, text in template.items():
        place = folder / file.replace(MODULE, name)
        place.write_text(_renamed(text, name), encoding="utf-8")
    return folder


def _check_name(name: str, used: set[str]) -> None:
    """Raise UsageError unless the name is valid for a module, a method and a class."""
    if not re.fullmatch("[a-z][a-z0-9_]*", name) or keyword.iskeyword(name):
        raise UsageError(
            f"name: {name!r} is not a valid module name; use lowercase letters, digits and "
            "underscores, such as tilted_soup"
        )
    if name in registry.names("methods"):
        raise UsageError(f"name: {name!r} is already a method; choose another")
    if name in used or _class(name) in used or find_spec(name) is not None:
        raise UsageError(
            f"name: {name!r} would shadow a module or class of that name; choose another"
        )


def _renamed(text: str, name: str) -> str:
    """Text of the template with its names replaced."""
    title = name.replace("_", " ")
    for old, new in ((MODULE, name), (CLASS, _class(name)), (TITLE, title.capitalize())):
        text = text.replace(old, new)
    return text.replace(TITLE.lower(), title)


def _class(name: str) -> str:
    return "".join(part.capitalize() for part in name.split("_"))


def _template() -> list[Path]:
    folder = Path(str(files("paretosteer"))) / "templates" / "method"
    return sorted(path for path in folder.iterdir() if path.is_file())
