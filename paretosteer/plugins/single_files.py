"""Plug-ins in single files: `--plugin file.py`, passed to workers through PARETOSTEER_PLUGINS.

A file lists its offers in a table with the same groups as the entry points of a package:

    paretosteer_plugins = {"methods": {"sharp_soup": SharpSoup}}
"""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from types import ModuleType
from typing import Any

from paretosteer.errors import PLUGIN_ERRORS, UsageError, did_you_mean, first_line, line_in
from paretosteer.plugins.checks import CHECKS, fault
from paretosteer.plugins.local_modules import sources_digests
from paretosteer.plugins.shadowed_imports import shadowed
from paretosteer.storage import opened_files
from paretosteer.storage.digest import digest as content_digest

VARIABLE = "PARETOSTEER_PLUGINS"
TABLE = "paretosteer_plugins"


@dataclass(frozen=True)
class PluginFile:
    """A plug-in file that was executed."""

    path: Path
    offers: Mapping[str, Mapping[str, Any]]  # by group and name
    source: bytes
    own: Mapping[str, str]  # digests of the files that it imports or names
    digest: str  # of the source that was executed, and of the files that it imports or names


def declare(parser: argparse.ArgumentParser, dest: str) -> None:
    """Add the option `--plugin` to a parser."""
    parser.add_argument(
        "--plugin",
        dest=dest,
        action="append",
        default=[],
        metavar="FILE.py",
        help="Python file with methods, benchmarks, objectives, metrics, feedback or "
        "conditionings (repeatable)",
    )


def add(paths: Iterable[str]) -> list[PluginFile]:
    """Register files in this process and its future children; return all registered files.

    Raises
    ------
    UsageError
        If one of them, or of those already in PARETOSTEER_PLUGINS, cannot be used.

    """
    absolute = [str(Path(path).absolute()) for path in [*_named(), *paths]]
    if split := [path for path in absolute if os.pathsep in path]:
        raise UsageError(f"--plugin: {split[0]}: its path contains {os.pathsep!r}; move the file")
    if absolute:
        os.environ[VARIABLE] = os.pathsep.join(dict.fromkeys(absolute))
    return files()


def files() -> list[PluginFile]:
    """All registered files, each executed once; raise UsageError if one cannot be used."""
    return [_read(path) for path in _named()]


def check_data(paths: Iterable[Path]) -> None:
    """Raise UsageError if a data file that one of these plug-in files names was edited.

    Code may have been: it was executed as it was when the digest was made.
    """
    for file in files():
        if file.path in paths and _data(file.own) != _data(
            sources_digests([(file.source, file.path.parent)], single=True)
        ):
            raise UsageError(
                f"--plugin: {file.path}: a data file that it names has been edited since the "
                "plug-in was loaded; run the command again"
            )


def _data(digests: Mapping[str, str]) -> dict[str, str]:
    return {
        name: digest
        for name, digest in digests.items()
        if not name.endswith(".py") and not name.startswith("$")
    }


def _named() -> list[str]:
    return [path for path in os.environ.get(VARIABLE, "").split(os.pathsep) if path]


@cache
def _read(path: str) -> PluginFile:
    """Execute a file, once per process."""
    # Digest and execute the same bytes, since the file may be edited in between.
    import hashlib

    try:
        source = Path(path).read_bytes()
    except OSError as error:
        raise UsageError(
            f"--plugin: {path}: cannot be read ({error.strerror}); pass a Python file"
        ) from None
    digest = hashlib.sha256(source).hexdigest()
    module = ModuleType(f"paretosteer_plugin_{digest[:10]}")
    module.__file__ = path
    sys.modules[module.__name__] = module  # dataclasses look up their annotations here
    folder = Path(path).parent
    if str(folder) not in sys.path:
        sys.path.append(str(folder))  # last, so that a file beside replaces no installed module
    opened_files.watch(path)
    try:
        exec(compile(source, path, "exec", dont_inherit=True), vars(module))
    except PLUGIN_ERRORS as error:
        del sys.modules[module.__name__]
        number = line_in(error, path)
        where = f", line {number}" if number else ""
        raise UsageError(f"--plugin: {path}{where}: {_describe(error)}") from error
    # Now, since the file may have extended the search path.
    if clash := shadowed(source, folder):
        raise UsageError(f"--plugin: {path}: {clash}")
    own = sources_digests([(source, folder)], single=True)
    joint = content_digest({"": digest, **own}) if own else digest
    return PluginFile(Path(path), _table(path, getattr(module, TABLE, None)), source, own, joint)


def _table(path: str, offers: Any) -> Mapping[str, Mapping[str, Any]]:
    """Check the table of a file; raise UsageError if it is empty or an offer cannot be used."""
    if not isinstance(offers, Mapping) or not any(offers.values()):
        raise UsageError(
            f"--plugin: {path}: offers nothing; add a line such as "
            f'{TABLE} = {{"methods": {{"mine": Mine}}}}'
        )
    for group, named in offers.items():
        if group not in CHECKS or not isinstance(named, Mapping):
            raise UsageError(
                f"--plugin: {path}: {TABLE}[{group!r}] is not a group with a mapping by name; "
                f"{did_you_mean(str(group), CHECKS)}"
            )
        for name, offered in named.items():
            if wrong := fault(group, name, offered):
                raise UsageError(f"--plugin: {path}: {group.removesuffix('s')} {name!r} {wrong}")
    return offers


def _describe(error: BaseException) -> str:
    message = error.msg if isinstance(error, SyntaxError) else first_line(error)
    return f"{type(error).__name__}: {message}; fix the file, or omit it"
