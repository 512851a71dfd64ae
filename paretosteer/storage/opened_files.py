"""What the code of plug-ins reads while it runs, such as a word list whose path is computed.

The digest of a plug-in is made before anything runs, from what its source imports and names
(`plugins.local_modules`). The rest can only be noted: files that it opens, folders that it lists,
and environment variables, written `$NAME`. Neither other processes are seen nor what compiled
libraries read by themselves.
"""

from __future__ import annotations

import hashlib
import importlib.util
import os
import sys
import sysconfig
from collections.abc import Collection, Iterator, Mapping
from functools import cache, lru_cache
from itertools import takewhile
from pathlib import Path
from types import FrameType
from typing import Any, NamedTuple

from paretosteer.runtime.libraries import has_packages
from paretosteer.runtime.secrets import is_secret_name
from paretosteer.runtime.terminal import plural
from paretosteer.runtime.variables import is_of_place
from paretosteer.storage.digest import digest, file_digest, seen
from paretosteer.storage.watched_environment import watch_environment

_SYSTEM = ("/dev/", "/etc/", "/lib/", "/proc/", "/sys/", "/usr/lib/", "/usr/share/zoneinfo/")
_PYTHON = tuple(os.path.realpath(sysconfig.get_path(each)) for each in ("stdlib", "platstdlib"))
# Where transformers and evaluate copy the code of models and metrics.
_MODULES = ("transformers_modules", "evaluate_modules")
_VARIABLE = "$"
_SHOWN = 3  # paths and variables in a note
_LISTS = ("os.listdir", "os.scandir")
_EVENTS = {"open", "sqlite3.connect", *_LISTS}
# Modules of Python that look up a variable or list a folder for their caller.
_THIN = {"os", "collections", "posixpath", "ntpath", "glob", "pathlib", "contextlib"}


class _Opened(NamedTuple):
    by: str  # plug-in, or other source
    state: str  # at that time, by `_state`


_plugins: set[str] = set()  # plug-in files and folders of packages that are watched
_opened: dict[str, _Opened] = {}  # by path, when it was opened first
_accounted: set[str] = set()  # paths that plug-ins wrote, or that are part of an identity


def watch(plugin: str = "") -> None:
    """Collect from now on what a plug-in opens, or the code of reward models and metrics.

    A plug-in is a file, or the folder of a package.
    """
    if plugin:
        _plugins.add(plugin)
        _is_plugin.cache_clear()
    _add_hook()


def openers(used: Collection[str], own: Collection[str]) -> dict[str, str]:
    """Files and the like that the `used` code reads and does not name, with its source file.

    The code is given by plug-in files, and by folders of the code of packages, reward models and
    metrics. Files in our `own` folders are left out, and those that plug-ins wrote.
    """
    sources = {os.path.realpath(each) for each in _plugins}  # `inspect` reads them, for example
    folders = tuple(os.path.realpath(each) + os.sep for each in (*own, *_plugins))
    return {
        path: opened.by
        for path, opened in sorted(list(_opened.items()))  # other threads may add some
        if _is_of(opened.by, used)
        and path not in _accounted
        and path not in sources
        and not path.startswith(folders)
        and (path.startswith(_VARIABLE) or Path(path).exists())
    }


def note(openers: Mapping[str, str]) -> str:
    """Note of a record on what was read."""
    named = ", ".join(list(openers)[:_SHOWN])
    more = f" and {plural(len(openers) - _SHOWN, 'other')}" if len(openers) > _SHOWN else ""
    return (
        f"{next(iter(openers.values()))} reads {named}{more}, which it does not name in its "
        "source: if any of that changes, finished work is reused all the same. Write the name of "
        "a variable, or the path of each file, absolute or relative to the plug-in, as one string."
    )


def digests(paths: Collection[str]) -> dict[str, str]:
    """Digest of each of these files that was opened; empty for one that has changed since."""
    return {
        path: current_digest(path) if _state(path) == opened.state else ""
        for path in paths
        if (opened := _opened.get(path))
    }


def code_folder(loaded: object) -> str | None:
    """Folder with the code of a model or metric that was loaded, if it brings code of its own."""
    source = getattr(sys.modules.get(type(loaded).__module__), "__file__", None) or ""
    return str(Path(source).parent) if _is_copied(source) else None


def current_digest(path: str) -> str:
    """Digest of a file, a folder's names or a variable; empty if it cannot be read."""
    state = _state(path)
    if path.startswith(_VARIABLE) or Path(path).is_dir():
        return state
    return _file_digest(path, state)


@lru_cache(maxsize=1024)
def _file_digest(path: str, state: str) -> str:
    try:
        with Path(path).open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()
    except OSError:
        return ""


def _state(path: str) -> str:
    """Properties of a file, or a digest of a variable's value or of the names in a folder."""
    if path.startswith(_VARIABLE):
        value = os.environb.get(os.fsencode(path.removeprefix(_VARIABLE)))
        return "" if value is None else hashlib.sha256(value).hexdigest()
    try:
        if Path(path).is_dir():
            return digest(sorted(each.name for each in Path(path).iterdir()))
        return str(seen(Path(path)))
    except OSError:
        return ""


@cache
def _add_hook() -> None:
    sys.addaudithook(_on_event)  # it cannot be removed again
    watch_environment(_see_variable)


def _on_event(event: str, arguments: tuple[Any, ...]) -> None:
    if event not in _EVENTS:
        return
    try:
        path, flags = arguments[0], arguments[2] if event == "open" else 0
        if isinstance(path, str | bytes | os.PathLike):
            _see(os.fsdecode(path), flags, sys._getframe(1), direct=event in _LISTS)
    except Exception:  # an error of a hook would make `open` fail
        pass


def _see_variable(name: str, is_set: bool, frame: FrameType) -> None:
    """Collect a variable if code of a plug-in, a reward model or a metric reads it itself."""
    if (caller := _caller(frame)) is None or not isinstance(name, str):
        return
    path = f"{_VARIABLE}{name}"
    by, module = caller.f_code.co_filename, caller.f_globals.get("__name__")
    if module == "paretosteer.plugins.named_variables":  # it is part of the plug-in's digest
        _accounted.add(path)
    elif _is_plugin(by) or _is_copied(by):
        if is_set:
            _accounted.add(path)
        elif path not in _opened and not is_of_place(name) and not is_secret_name(name):
            _opened[path] = _Opened(by, _state(path))


def _caller(frame: FrameType | None) -> FrameType | None:
    """Frame that makes a call, itself or by functions of Python that do no more than that."""
    while frame is not None and str(frame.f_globals.get("__name__")).partition(".")[0] in _THIN:
        frame = frame.f_back
    return frame


def _see(name: str, flags: int, frame: FrameType, direct: bool) -> None:
    """Collect a file if code of a plug-in, a reward model or a metric opens it.

    A folder counts if that code lists it itself (`direct`).
    """
    frames = _without_libraries(frame)
    importing = False
    for caller in frames:
        source = caller.f_code.co_filename
        if not source.startswith("<"):
            break
        importing |= source.startswith("<frozen importlib")
    else:
        return
    if _is_core(caller):
        if caller.f_code is file_digest.__code__:
            _accounted.add(os.path.realpath(name))
        return
    user = [caller, *takewhile(lambda frame: not _is_core(frame), frames)]
    sources = [each.f_code.co_filename for each in (*user, *frames)]
    by = next(filter(_is_plugin, sources), source)
    if not _is_plugin(by) and not _is_copied(by):
        return
    path = os.path.realpath(name)
    if direct and (importing or _caller(frame) not in user):
        return
    own_key = any(each.f_code.co_name in ("content_key", "model_key") for each in user)
    written = flags & (os.O_WRONLY | os.O_RDWR)
    if own_key or written:
        _accounted.update([path, str(Path(path).parent)] if written else [path])
    elif not importing:
        _collect(path, by)
    elif path.endswith(".pyc"):
        _collect(importlib.util.source_from_cache(path), by)
    elif path.endswith(".py"):  # other files are opened by a library that is imported
        _collect(path, by)


def _collect(path: str, by: str) -> None:
    if path.startswith(_SYSTEM) or _is_library(path) or any(each in path for each in _MODULES):
        return
    if path not in _opened:
        _opened[path] = _Opened(by, _state(path))


@cache
def _is_plugin(source: str) -> bool:
    return _is_of(source, _plugins)


def _is_of(source: str, used: Collection[str]) -> bool:
    return source in used or any(source.startswith(f"{each}{os.sep}") for each in used)


def _is_copied(source: str) -> bool:
    return any(f"{os.sep}{each}{os.sep}" in source for each in _MODULES)


def _without_libraries(frame: FrameType | None) -> Iterator[FrameType]:
    """Callers, the nearest first, without those of Python and of installed packages."""
    while frame is not None:
        source = frame.f_code.co_filename
        own = _is_plugin(source) or _is_core(frame) or source.startswith("<")
        if own or not _is_library(source):
            yield frame
        frame = frame.f_back


def _is_core(frame: FrameType) -> bool:
    return f"{frame.f_globals.get('__name__')}.".startswith("paretosteer.")


@cache
def _is_library(path: str) -> bool:
    """True for files of Python and of installed packages."""
    real = os.path.realpath(path)
    return real.startswith(_PYTHON) or _in_packages(Path(real).parent)


@cache
def _in_packages(folder: Path) -> bool:
    """True if a folder, or one above it, holds installed packages."""
    return has_packages(folder) or (folder.parent != folder and _in_packages(folder.parent))
