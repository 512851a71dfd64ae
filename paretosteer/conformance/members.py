"""Members that a plug-in overrides: of the same kind as in the base class, and called alike."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterator
from functools import cached_property
from typing import Any

from paretosteer.findings import Finding, fault


def wrong_members(cls: type, base: type) -> Iterator[Finding]:
    """Faults of the public members of `base` that `cls` overrides with something else."""
    for name, expected in vars(base).items():
        own = inspect.getattr_static(cls, name)
        if name.startswith("_") or own is expected:
            continue
        if wrong := _wrong_kind(name, own, expected, base):
            yield fault(*wrong)
        elif inspect.isfunction(expected) or isinstance(expected, classmethod):
            yield from _wrong_signature(name, getattr(cls, name), getattr(base, name))


def _wrong_kind(name: str, own: Any, expected: Any, base: type) -> tuple[str, str] | None:
    """What is wrong with the kind of a member, and the remedy."""
    is_property = isinstance(own, property | cached_property)
    is_method = inspect.isfunction(own) or isinstance(own, classmethod | staticmethod)
    if isinstance(expected, classmethod):
        if not isinstance(own, classmethod | staticmethod):
            kind = "a method of instances" if is_method else _kind(own)
            return (
                f"{name} is {kind}, but the package calls it on the class",
                "define it as a class method, with @classmethod",
            )
    elif inspect.isfunction(expected):
        if is_property:
            return f"{name} is a property, but the package calls it", "remove @property"
        if not is_method and not callable(own) and not hasattr(own, "__get__"):
            return (
                f"{name} is {_kind(own)}, but the package calls it",
                f"define a method that returns it: {_definition(name, expected)}",
            )
    elif is_method:
        remedy = "add @property" if isinstance(expected, property) else f"assign it: {name} = …"
        return f"{name} is a method, but the package reads it without calling it", remedy
    elif is_property and "ClassVar" in base.__annotations__.get(name, ""):
        return f"{name} is a property, but the package reads it from the class", "assign a value"
    return None


def _wrong_signature(
    name: str, own: Callable[..., Any], base: Callable[..., Any]
) -> Iterator[Finding]:
    parameters = inspect.signature(base).parameters.values()
    positional = [p for p in parameters if p.kind is p.POSITIONAL_OR_KEYWORD]
    named = {p.name: None for p in parameters if p.kind is p.KEYWORD_ONLY}
    try:
        inspect.signature(own).bind(*[None] * len(positional), **named)
    except TypeError as error:
        yield fault(
            f"{name} cannot be called as the package does: {error}",
            f"define it as {_definition(name, base)}",
        )


def _definition(name: str, function: Callable[..., Any]) -> str:
    """`def control(self, preferences, dials=None)`."""
    signature = inspect.signature(function)
    plain = [p.replace(annotation=p.empty) for p in signature.parameters.values()]
    return f"def {name}{signature.replace(parameters=plain, return_annotation=signature.empty)}"


def _kind(value: Any) -> str:
    return f"an attribute ({type(value).__name__})"
