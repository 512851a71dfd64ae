"""`os.environ` that tells who reads or sets a variable, since Python has no audit event for it."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Iterator
from functools import cache
from types import CodeType, FrameType

ALL = "*"  # instead of a name: all variables are read
Tell = Callable[[str, bool, FrameType], None]  # a variable's name, whether it is set, the caller


@cache
def watch_environment(tell: Tell) -> None:
    """Call `tell` at each later access to a variable of this process.

    Code that goes through all variables, such as `dict(os.environ)`, reads `ALL` and not each.
    """
    listed: dict[str, set[CodeType]] = {}  # names that this code goes through, until it reads them

    class Watched(type(os.environ)):  # type: ignore[misc]
        def __getitem__(self, name: str) -> str:
            frame = sys._getframe(1)
            if frame.f_code in listed.get(name, ()):
                listed.pop(name, None)  # another thread may have
            else:
                tell(name, False, frame)
            return str(super().__getitem__(name))

        def __setitem__(self, name: str, value: str) -> None:
            tell(name, True, sys._getframe(1))
            super().__setitem__(name, value)

        def __iter__(self) -> Iterator[str]:
            frame = sys._getframe(1)
            tell(ALL, False, frame)
            names = list(super().__iter__())
            listed.update(dict.fromkeys(names, _codes(frame)))
            return iter(names)

    os.environ.__class__ = Watched


def _codes(frame: FrameType | None) -> set[CodeType]:
    """Code of a caller, and of the functions of mappings between."""
    codes = set()
    while frame is not None:
        codes.add(frame.f_code)
        if frame.f_globals.get("__name__") not in ("collections.abc", "os"):
            break
        frame = frame.f_back
    return codes
