"""Methods that a subclass overrides, where a base class has a path that does not call them."""

from __future__ import annotations

from collections.abc import Iterable


def overridden(cls: type, names: Iterable[str], beside: str) -> list[str]:
    """Those of the methods that are overridden below the class that defines `beside`.

    That class has seen to it that the two agree; its subclasses may not have.
    """
    below: list[type] = []
    for each in cls.__mro__:
        if beside in vars(each):
            break
        below.append(each)
    return [name for name in names if any(name in vars(each) for each in below)]
