"""Plug-ins in single files: `--plugin file.py`, which workers see through PARETOSTEER_PLUGINS.

A file says what it offers in a table that reads as the entry points of a package would:

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

VARIABLE = "PARETOSTEER_PLUGINS"
TABLE = "paretosteer_plugins"


@dataclass(frozen=True)
class PluginFile:
    """A file that was run: what it offers by group and name, and the digest of what was run."""

    path: Path
    offers: Mapping[str, Mapping[str, Any]]
    digest: str


def declare(parser: argparse.ArgumentParser, dest: str) -> None:
    """Give a parser the option that names such files."""
    parser.add_argument(
        "--plugin",
        dest=dest,
        action="append",
        default=[],
        metavar="FILE.py",
        help="methods, benchmarks, objectives, metrics or feedback of your own (repeatable)",
    )


def add(paths: Iterable[str]) -> list[PluginFile]:
    """Offer these files here and in every process that starts from here; gives all there are.

    Raises
    ------
    UsageError
        If one of them, or one that PARETOSTEER_PLUGINS named before, cannot be used.

    """
    absolute = [str(Path(path).absolute()) for path in [*_named(), *paths]]
    if split := [path for path in absolute if os.pathsep in path]:
        raise UsageError(f"--plugin: {split[0]}: has {os.pathsep!r} in its path; move it")
    if absolute:
        os.environ[VARIABLE] = os.pathsep.join(dict.fromkeys(absolute))
    return files()


def files() -> list[PluginFile]:
    """Every file that is offered, run once; UsageError where one cannot be used."""
    return [_read(path) for path in _named()]


def _named() -> list[str]:
    return [path for path in os.environ.get(VARIABLE, "").split(os.pathsep) if path]


@cache
def _read(path: str) -> PluginFile:
    """Run a file once, from the very bytes that are digested: it may be edited meanwhile."""
    import hashlib

    try:
        source = Path(path).read_bytes()
    except OSError as error:
        raise UsageError(
            f"--plugin: {path}: cannot be read ({error.strerror}); give a Python file"
        ) from None
    digest = hashlib.sha256(source).hexdigest()
    module = ModuleType(f"paretosteer_plugin_{digest[:10]}")
    module.__file__ = path
    sys.modules[module.__name__] = module  # where dataclasses look up their annotations
    try:
        exec(compile(source, path, "exec", dont_inherit=True), vars(module))
    except PLUGIN_ERRORS as error:
        del sys.modules[module.__name__]
        number = line_in(error, path)
        place = f", line {number}" if number else ""
        raise UsageError(f"--plugin: {path}{place}: {_told(error)}") from error
    return PluginFile(Path(path), _table(path, getattr(module, TABLE, None)), digest)


def _table(path: str, offers: Any) -> Mapping[str, Mapping[str, Any]]:
    """What a file offers; UsageError where it is nothing, or nothing that can be used."""
    if not isinstance(offers, Mapping) or not any(offers.values()):
        raise UsageError(
            f"--plugin: {path}: offers nothing; end it with a line such as "
            f'{TABLE} = {{"methods": {{"mine": Mine}}}}'
        )
    for group, named in offers.items():
        if group not in CHECKS or not isinstance(named, Mapping):
            raise UsageError(
                f"--plugin: {path}: {TABLE}[{group!r}] is no group of things by name; "
                f"{did_you_mean(str(group), CHECKS)}"
            )
        for name, found in named.items():
            if wrong := fault(group, name, found):
                raise UsageError(f"--plugin: {path}: {group.removesuffix('s')} {name!r} {wrong}")
    return offers


def _told(error: BaseException) -> str:
    said = error.msg if isinstance(error, SyntaxError) else first_line(error)
    return f"{type(error).__name__}: {said}; mend the file, or leave it out"
