"""Options of methods and benchmarks: typed dataclasses, one line of help beside each field.

@dataclass(frozen=True)
class Options:
    rank: int = field(default=8, metadata={"help": "rank of every bank"})
"""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Mapping
from dataclasses import MISSING, Field, dataclass, fields
from typing import Any, TypeVar, get_args, get_type_hints

from paretosteer.errors import UsageError, did_you_mean

T = TypeVar("T")


@dataclass(frozen=True)
class OptionRow:
    """One option as `paretosteer list` shows it."""

    name: str
    type: str
    default: str
    help: str


def build(kind: type[T], values: Mapping[str, Any], prefix: str) -> T:
    """Options from a configuration section, or a UsageError that names `prefix.field`.

    `values` may hold `name`, whose options these are. Nothing is converted but an integer to a
    float and a list to a tuple.
    """
    given = {key: value for key, value in values.items() if key != "name"}
    owner = values.get("name", prefix)
    types = get_type_hints(kind, include_extras=True)
    known = [field.name for field in _fields(kind)]
    for name in given:
        if name not in known:
            raise UsageError(
                f"{prefix}.{name} is not an option of {owner}"
                + (f"; {did_you_mean(name, known)}" if known else ", which has none")
            )
    checked = {name: _checked(types[name], given[name], f"{prefix}.{name}") for name in given}
    for field in _fields(kind):
        if field.name in checked:
            _check_range(checked[field.name], field.metadata.get("bounds", {}), prefix, field.name)
    return kind(**checked)


def describe(kind: type[Any]) -> list[OptionRow]:
    """Name, type, default and help of every option, in the order of the dataclass."""
    types = get_type_hints(kind)
    return [
        OptionRow(
            field.name,
            _type_text(types[field.name]),
            _written(default(field)),
            field.metadata.get("help", ""),
        )
        for field in _fields(kind)
    ]


def defaults(kind: type[Any]) -> dict[str, Any]:
    """Default value of every option."""
    return {field.name: default(field) for field in _fields(kind)}


def left_open(options: Any, own: Mapping[str, Any]) -> dict[str, Any]:
    """Those of a benchmark's `own` values that fill options which are None."""
    names = {field.name for field in _fields(type(options))}
    return {k: v for k, v in own.items() if k in names and getattr(options, k) is None}


def variant(options: Any, own: Mapping[str, Any]) -> str:
    """What distinguishes these options from the defaults, as a leaderboard shows it.

    `own` are the benchmark's values of options that are None by default. The value of a field
    `variant`, or of one with `metadata={"bare": True}`, comes first and bare, then `name=value` for
    whatever differs. Fields with `metadata={"label": False}`, as places have it, are left out.
    """
    labelled = [field for field in _fields(type(options)) if field.metadata.get("label", True)]
    bare = [f.name for f in labelled if f.name == "variant" or f.metadata.get("bare")]
    head = [text(getattr(options, name)) for name in bare]
    changed = [
        f"{field.name}={text(value)}"
        for field in labelled
        if field.name not in bare
        and (value := getattr(options, field.name))
        not in (default(field), own.get(field.name, default(field)))
    ]
    return ", ".join(head + changed)


def content(options: Any) -> dict[str, Any]:
    """Options by name, as digests see them.

    Without the places of files, which a benchmark's model key covers, and without options that came
    `later` where they have their default.
    """
    return {
        field.name: value
        for field in _fields(type(options))
        if not field.metadata.get("place")
        and not (
            (value := getattr(options, field.name)) == default(field)
            and field.metadata.get("later")
        )
    }


def default(field: Field[Any]) -> Any:
    """Default of one field; every option must have one."""
    if field.default is not MISSING:
        return field.default
    if field.default_factory is not MISSING:
        return field.default_factory()
    raise TypeError(f"option {field.name!r} has no default; every option needs one")


def text(value: Any) -> str:
    """A value as labels and tables show it: no commas inside, so labels stay readable."""
    if isinstance(value, bool) or value is None:
        return {True: "true", False: "false", None: "none"}[value]
    if isinstance(value, float):
        return f"{value:g}"
    if isinstance(value, list | tuple):
        return "/".join(map(text, value))
    return str(value)


def _fields(kind: type[Any]) -> tuple[Field[Any], ...]:
    return fields(kind)


def _checked(annotation: Any, value: Any, name: str) -> Any:
    from pydantic import ConfigDict, TypeAdapter, ValidationError

    adapter = TypeAdapter(annotation, config=ConfigDict(strict=True, allow_inf_nan=False))
    try:
        return adapter.validate_python(_tuples(value))
    except ValidationError as error:
        first, *others = error.errors()
        place = "".join(f"[{step}]" for step in first["loc"] if isinstance(step, int))
        # A union reports one error per member, all about the same value.
        members = [first] + [other for other in others if other["input"] is first["input"]]
        expected = " or ".join(member["msg"].removeprefix("Input should be ") for member in members)
        raise UsageError(f"{name}{place}: found {first['input']!r}, expected {expected}") from None


def _check_range(value: Any, bounds: Mapping[str, float | None], prefix: str, name: str) -> None:
    """UsageError where a number, or one of several, lies outside its option's bounds."""
    above, least, most = (bounds.get(key) for key in ("above", "least", "most"))
    for number in value if isinstance(value, tuple) else (value,):
        if number is None:
            continue
        wrong = {
            f"above {above}": above is not None and not number > above,
            f"at least {least}": least is not None and not number >= least,
            f"at most {most}": most is not None and not number <= most,
        }
        for expected, is_wrong in wrong.items():
            if is_wrong:
                raise UsageError(f"{prefix}.{name}: found {number}, expected {expected}")


def _tuples(value: Any) -> Any:
    """Lists, all that a configuration file knows, as the tuples that frozen options hold."""
    return tuple(map(_tuples, value)) if isinstance(value, list) else value


def _written(value: Any) -> str:
    """A value as a user writes it on the command line."""
    return value if isinstance(value, str) else json.dumps(value)


def _type_text(annotation: Any) -> str:
    """`int`, `float | null`, `full | attention`: how a user writes the type."""
    if annotation is type(None):
        return "null"
    if getattr(annotation, "__origin__", None) is tuple:
        parts = ["..." if arg is ... else _type_text(arg) for arg in get_args(annotation)]
        return f"[{', '.join(parts)}]"
    if getattr(annotation, "__origin__", None) is Mapping:
        return "{name: ...}"
    if args := get_args(annotation):
        return " | ".join(_type_text(arg) for arg in args)
    return annotation.__name__ if isinstance(annotation, type) else text(annotation)


def option(
    default: Any,
    help: str,
    *,
    above: float | None = None,
    least: float | None = None,
    most: float | None = None,
    place: bool = False,
    bare: bool = False,
    later: bool = False,
) -> Any:
    """A dataclass field with its one line of help, and the range of its number or numbers.

    A `place` is where something lies: digests depend on what is there, not on where it is. A `bare`
    option is always part of a leaderboard's `variant`, without its name. A `later` one came when
    there were cells already: at its default digests leave it out, and so stay what they were.
    """
    bounds = {"above": above, "least": least, "most": most}
    more = {"place": place, "label": not place, "bare": bare, "later": later}
    metadata = {"help": help, "bounds": bounds, **more}
    if isinstance(default, dict):  # every instance gets its own
        return dataclasses.field(default_factory=default.copy, metadata=metadata)
    return dataclasses.field(default=default, metadata=metadata)
