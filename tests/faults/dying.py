"""A process that dies at its n-th change of a folder, without ending this one.

Every operation of Python's that changes a file is announced to audit hooks before it happens. Once
dead, all that follow fail too, so nothing that would not run after a real crash tidies up.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

_CHANGES = {"os.rename", "os.remove", "os.mkdir", "os.rmdir", "os.truncate"}
_WRITING = os.O_WRONLY | os.O_RDWR | os.O_CREAT


class Death(BaseException):
    """Nothing that the process would do next happens."""


@dataclass
class Watch:
    """Changes below a folder: counted, and from the `last` on replaced by `error`."""

    folder: Path
    last: int | None
    error: BaseException
    once: bool = False
    changes: list[str] = field(default_factory=list)

    def met(self, what: str) -> None:
        self.changes.append(what)
        count = len(self.changes) - 1
        if self.last is not None and (count == self.last if self.once else count >= self.last):
            raise self.error


_watch: Watch | None = None


def _hook(event: str, args: tuple[Any, ...]) -> None:
    if _watch is None or event not in {*_CHANGES, "open"}:
        return
    if event == "open" and not (isinstance(args[2], int) and args[2] & _WRITING):
        return
    path = str(args[0])
    relative = event in {"os.remove", "os.rmdir"} and args[-1] != -1  # by `shutil.rmtree`
    nothing = (event == "os.mkdir" and Path(path).exists()) or (
        event == "os.remove" and not Path(path).exists()
    )
    if relative or (str(_watch.folder) in path and not nothing):
        _watch.met(f"{event} {path}")


sys.addaudithook(_hook)


@contextmanager
def watching(
    folder: Path,
    last: int | None = None,
    error: BaseException | None = None,
    once: bool = False,
) -> Iterator[Watch]:
    """Count the changes below a folder; the one numbered `last` does not happen any more."""
    global _watch
    watch = Watch(folder, last, error or Death(), once)
    fsync = os.fsync

    def counted(handle: int) -> None:
        watch.met("fsync")
        fsync(handle)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(os, "fsync", counted)
        _watch = watch
        try:
            yield watch
        finally:
            _watch = None
