"""`os.environ` that tells who reads or sets a variable, since Python has no audit event for it."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable
from functools import cache
from types import FrameType

Tell = Callable[[str, bool, FrameType], None]  # a variable's name, whether it is set, the caller


@cache
def watch_environment(tell: Tell) -> None:
    """Call `tell` at each later access to a variable of this process."""

    class Watched(type(os.environ)):  # type: ignore[misc]
        def __getitem__(self, name: str) -> str:
            tell(name, False, sys._getframe(1))
            return str(super().__getitem__(name))

        def __setitem__(self, name: str, value: str) -> None:
            tell(name, True, sys._getframe(1))
            super().__setitem__(name, value)

    os.environ.__class__ = Watched
