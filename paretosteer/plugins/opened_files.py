"""Files that the code of plug-ins opens while it runs, such as a word list whose path is computed.

The digest of a plug-in is made before anything runs, from what its source imports and names
(`local_modules`). An audit hook sees the rest, which can only be noted. It does not see what
compiled libraries open by themselves.
"""

from __future__ import annotations

import hashlib
import importlib.util
import os
import sys
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from functools import cache
from itertools import takewhile
from pathlib import Path
from types import FrameType
from typing import Any

from paretosteer.runtime.terminal import plural
from paretosteer.storage.digest import file_digest

_LIBRARIES = tuple(
    os.path.realpath(path) + os.sep
    for path in {sys.prefix, sys.base_prefix, str(Path(os.__file__).parent)}
)
_SYSTEM = ("/dev/", "/etc/", "/proc/", "/sys/")

_plugins: set[str] = set()  # plug-in files that are watched
_openers: dict[str, str] = {}  # by path: the plug-in that opened it first, or another source
_accounted: set[str] = set()  # paths that this process wrote, or made a digest of


def watch(plugin: str = "") -> None:
    """Collect from now on what the user's code opens, also on behalf of a plug-in file."""
    _plugins.add(plugin)
    _add_hook()


def opened(used: Collection[str], own: Collection[str]) -> dict[str, str]:
    """Files that the `used` plug-in files opened and do not name, by path, with these plug-ins.

    Files in our `own` folders are left out, and those that this process wrote.
    """
    sources = {os.path.realpath(each) for each in _plugins}  # `inspect` reads them, for example
    folders = tuple(os.path.realpath(each) + os.sep for each in own)
    return {
        path: opener
        for path, opener in sorted(_openers.items())
        if (opener in used or opener not in _plugins)
        and path not in _accounted
        and path not in sources
        and not path.startswith(folders)
        and Path(path).is_file()
    }


def note(openers: Mapping[str, str]) -> str:
    """Note of a record on such files."""
    path, opener = next(iter(openers.items()))
    more = f" (and {plural(len(openers) - 1, 'other file')})" if len(openers) > 1 else ""
    return (
        f"{opener} reads {path}{more}, which it does not name in its source: if that file is "
        "edited, finished work is reused all the same. Write its path as one string, absolute or "
        "relative to the plug-in."
    )


def digests(paths: Iterable[str]) -> dict[str, str]:
    """Digest of each file, empty for one that cannot be read."""
    return {path: _digest(path) for path in paths}


def _digest(path: str) -> str:
    try:
        with Path(path).open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()
    except OSError:
        return ""


@cache
def _add_hook() -> None:
    sys.addaudithook(_on_event)  # it cannot be removed again


def _on_event(event: str, arguments: tuple[Any, ...]) -> None:
    if event != "open" or not isinstance(arguments[0], str | bytes | os.PathLike):
        return
    try:
        _see(os.path.realpath(os.fsdecode(arguments[0])), arguments[2], sys._getframe(1))
    except Exception:  # an error of a hook would make `open` fail
        pass
        pass


def _see(path: str, flags: int, frame: FrameType) -> None:
    """Collect a file that is opened if the user's code does it, called by ours."""
    if flags & (os.O_WRONLY | os.O_RDWR):
        _accounted.add(path)
        return
    if path in _accounted or path.startswith(_SYSTEM + _LIBRARIES):
        return
    frames = [each for each in _callers(frame) if _is_core(each) or not _is_library(each)]
    importing = False
    while frames and (name := frames[0].f_code.co_filename).startswith("<"):
        importing |= name.startswith("<frozen importlib")
        frames.pop(0)
    if frames and (frames[0].f_code is file_digest.__code__ or _makes_key(frames)):
        _accounted.add(path)
        return
    if not frames or _is_core(frames[0]) or not any(map(_is_core, frames)):
        return
    if importing and not path.endswith((".py", ".pyc")):  # a library that is imported opens it
        return
    if path.endswith(".pyc"):
        path = importlib.util.source_from_cache(path)
    sources = [each.f_code.co_filename for each in frames]
    _openers.setdefault(path, next((x for x in sources if x in _plugins), sources[0]))


def _callers(frame: FrameType | None) -> Iterator[FrameType]:
    while frame is not None:
        yield frame
        frame = frame.f_back


def _is_core(frame: FrameType) -> bool:
    return f"{frame.f_globals.get('__name__')}.".startswith("paretosteer.")


def _makes_key(frames: Sequence[FrameType]) -> bool:
    """True in a plug-in's own part of the cell's identity."""
    user = takewhile(lambda frame: not _is_core(frame), frames)
    return any(frame.f_code.co_name in ("content_key", "model_key") for frame in user)


def _is_library(frame: FrameType) -> bool:
    return frame.f_code.co_filename.startswith(_LIBRARIES)
