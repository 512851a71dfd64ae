"""Options of methods and benchmarks: pydantic models, one line of help beside each field.

class Options(BaseOptions):
    rank: int = option(8, "rank of every bank", least=1)
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Annotated, Any, TypeVar, get_args, get_origin

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator
from pydantic.fields import FieldInfo

from paretosteer.errors import UsageError, did_you_mean
from paretosteer.runtime.terminal import enumerated

_RANGES = {
    "greater_than": "above {gt:g}",
    "greater_than_equal": "at least {ge:g}",
    "less_than_equal": "at most {le:g}",
}

# Ends the help of an option that a fixed value of its method rules out.
NO_EFFECT = "[no effect in this method]"


class BaseOptions(BaseModel):
    """Base of the `Options` of every method and benchmark.

    Only integers are converted to floats, and lists, as YAML has no tuples, to tuples.
    """

    model_config = ConfigDict(
        extra="forbid", frozen=True, strict=True, allow_inf_nan=False, protected_namespaces=()
    )

    @model_validator(mode="before")
    @classmethod
    def _lists_to_tuples(cls, values: Any) -> Any:
        if isinstance(values, dict):
            return {name: _tuples(value) for name, value in values.items()}
        return values


Chosen = TypeVar("Chosen", bound=BaseOptions)


def option(
    default: Any,
    help: str,
    *,
    above: float | None = None,
    least: float | None = None,
    most: float | None = None,
    place: bool = False,
    bare: bool = False,
    only: Mapping[str, Sequence[Any]] | None = None,
    unless: Mapping[str, Sequence[Any]] | None = None,
    replaces: Sequence[str] = (),
) -> Any:
    """Field of a `BaseOptions` with one line of help and, where it is a number, its range.

    For a tuple of numbers, annotate the elements instead: `tuple[PositiveFloat, ...]`. A `place`
    is the path or hub name of something: digests depend on its content and not on where it is. A
    `bare` option is always part of a leaderboard's `variant`, without its name.

    An option has an effect `only` where others have one of the values named, `unless` they have
    one of them, and not beside an option that is set and `replaces` it. `check_effect` refuses it
    elsewhere. Another option of type `str` may also have values that no option names, those of
    plug-ins, which refuse nothing. One whose value is fixed can be a `ClassVar` of the options.
    """
    marks = {"place": place, "bare": bare}
    extra: dict[str, Any] = {name: True for name, marked in marks.items() if marked}
    for name, condition in (("only", only), ("unless", unless)):
        if condition:
            extra[name] = {other: list(values) for other, values in condition.items()}
    if replaces:
        extra["replaces"] = list(replaces)
    return Field(default, description=help, gt=above, ge=least, le=most, json_schema_extra=extra)


@dataclass(frozen=True)
class OptionRow:
    """One option as `paretosteer list` shows it."""

    name: str
    type: str
    default: str
    help: str


def build(kind: type[Chosen], values: Mapping[str, Any], prefix: str) -> Chosen:
    """Options from a configuration section, or a UsageError that names `prefix.field`.

    `values` may hold `name`, the method or benchmark whose options these are.
    """
    given = {key: value for key, value in values.items() if key != "name"}
    try:
        return kind.model_validate(given)
    except ValidationError as error:
        raise UsageError(_line(error, kind, values.get("name", prefix), prefix)) from None


def describe(kind: type[BaseOptions]) -> list[OptionRow]:
    """Name, type, default and help of every option, in the order of the class."""
    return [
        OptionRow(
            name,
            _type_text(field.annotation),
            _written(default(field)),
            " ".join(filter(None, [field.description, _condition_text(kind, name)])),
        )
        for name, field in kind.model_fields.items()
    ]


def defaults(kind: type[BaseOptions]) -> dict[str, Any]:
    """Default value of every option, as a configuration file writes it."""
    for name, field in kind.model_fields.items():
        if field.is_required():
            raise TypeError(f"option {name!r} has no default; every option needs one")
    return kind().model_dump(mode="json")


def usable(kind: type[BaseOptions]) -> list[str]:
    """Names of the options that a fixed value of their method does not rule out."""
    return [row.name for row in describe(kind) if not row.help.endswith(NO_EFFECT)]


def default(field: FieldInfo) -> Any:
    """Default value of one field."""
    return field.get_default(call_default_factory=True)


def places(kind: type[BaseOptions]) -> list[str]:
    """Names of the options that are paths or hub names."""
    return [name for name, field in kind.model_fields.items() if _is_marked(field, "place")]


def left_open(options: BaseOptions, own: Mapping[str, Any]) -> dict[str, Any]:
    """Those of a benchmark's `own` values that fill options which are None."""
    names = type(options).model_fields
    return {k: v for k, v in own.items() if k in names and getattr(options, k) is None}


def check_effect(options: BaseOptions, own: Mapping[str, Any], section: str) -> None:
    """Raise UsageError for an option that is set but has no effect beside the others.

    An option is set if it differs from its default and from the benchmark's `own` value.
    """
    for name, reason in without_effect(options, own, section).items():
        if _is_set(options, name, own):
            raise UsageError(f"{section}.{name}: has no effect {reason}")


def without_effect(options: BaseOptions, own: Mapping[str, Any], section: str) -> dict[str, str]:
    """Options that have no effect beside the others, each with the reason and the remedy."""
    kind = type(options)
    reasons = {
        name: f"beside {section}.{other}; leave one of them out"
        for other, field in kind.model_fields.items()
        if _extra(field).get("replaces") and _is_set(options, other, own)
        for name in _extra(field)["replaces"]
    }
    for name in kind.model_fields:
        for other, values, wanted in _conditions(kind, name):
            found = getattr(options, other)
            if found in _named(kind, other, found) and (found in values) != wanted:
                remedy = "leave it out"
                if wanted and other in kind.model_fields:
                    choices = enumerated(map(text, values), "or")
                    remedy = f"set {section}.{other}={choices}, or leave it out"
                reasons.setdefault(name, f"with {other}={text(found)}; {remedy}")
    return reasons


def variant(options: BaseOptions, own: Mapping[str, Any]) -> str:
    """Options that differ from the defaults, as a leaderboard shows them.

    `own` are the benchmark's values of options that are None by default. The value of a field
    `variant`, or of one that is `bare`, comes first and bare, then `name=value` for whatever
    differs. Places are left out.
    """
    fields = type(options).model_fields
    bare = [
        name for name, field in fields.items() if name == "variant" or _is_marked(field, "bare")
    ]
    head = [text(getattr(options, name)) for name in bare]
    changed = [
        f"{name}={text(value)}"
        for name, field in fields.items()
        if name not in bare
        and not _is_marked(field, "place")
        and (value := getattr(options, name)) not in (default(field), own.get(name, default(field)))
    ]
    return ", ".join(head + changed)


def content(options: BaseOptions) -> dict[str, Any]:
    """Options by name, as covered by digests.

    Without the places of files: the digest of the start model covers what is there.
    """
    left_out = places(type(options))
    return {name: value for name, value in options if name not in left_out}


def text(value: Any) -> str:
    """A value as shown in labels and tables, without commas, which separate options."""
    if isinstance(value, bool) or value is None:
        return {True: "true", False: "false", None: "none"}[value]
    if isinstance(value, float):
        return f"{value:g}"
    if isinstance(value, list | tuple):
        return "/".join(map(text, value))
    return str(value)


def _line(error: ValidationError, kind: type[BaseOptions], owner: str, prefix: str) -> str:
    """First fault of the options in one line; an unknown name comes before a wrong value."""
    errors = error.errors(include_url=False)
    first = min(errors, key=lambda each: each["type"] != "extra_forbidden")
    name, *steps = first["loc"]
    if first["type"] == "extra_forbidden":
        known = usable(kind)
        end = f"; {did_you_mean(str(name), known)}" if known else ", which has none"
        return f"{prefix}.{name} is not an option of {owner}{end}"
    place = "".join(f"[{step}]" for step in steps if isinstance(step, int))
    # A union reports one error per member, all about the same value.
    members = [e for e in errors if e["loc"][0] == name and e["input"] is first["input"]]
    expected = " or ".join(dict.fromkeys(map(_expected, members)))
    return f"{prefix}.{name}{place}: found {first['input']!r}, expected {expected}"


def _expected(error: Any) -> str:
    if error["type"] in _RANGES:
        return _RANGES[error["type"]].format(**error["ctx"])
    return str(error["msg"]).removeprefix("Input should be ")


def _is_marked(field: FieldInfo, mark: str) -> bool:
    return mark in _extra(field)


def _is_set(options: BaseOptions, name: str, own: Mapping[str, Any]) -> bool:
    usual = default(type(options).model_fields[name])
    return getattr(options, name) not in (usual, own.get(name, usual))


def _extra(field: FieldInfo) -> Mapping[str, Any]:
    return field.json_schema_extra if isinstance(field.json_schema_extra, dict) else {}


def _conditions(kind: type[BaseOptions], name: str) -> Iterator[tuple[str, Sequence[Any], bool]]:
    """Other options, values, and whether they must have one of these for `name` to have effect."""
    extra = _extra(kind.model_fields[name])
    for key, wanted in (("only", True), ("unless", False)):
        for other, values in extra.get(key, {}).items():
            if hasattr(kind, other) or other in kind.model_fields:
                yield other, values, wanted


def _named(kind: type[BaseOptions], other: str, found: Any) -> Sequence[Any]:
    """Values of an option on which conditions are known; for a closed set, whatever it is."""
    field = kind.model_fields.get(other)
    if field is None or field.annotation not in (str, str | None):
        return [found]
    return [
        value
        for name in kind.model_fields
        for condition, values, _ in _conditions(kind, name)
        if condition == other
        for value in values
    ]


def _condition_text(kind: type[BaseOptions], name: str) -> str:
    """`[kind=della]`, `[condition not banks]`: where an option has an effect, in brackets."""
    parts = [
        f"{other} not set"
        for other, field in kind.model_fields.items()
        if name in _extra(field).get("replaces", ())
    ]
    for other, values, wanted in _conditions(kind, name):
        if other in kind.model_fields:
            parts.append(f"{other}{'=' if wanted else ' not '}{' | '.join(map(text, values))}")
        elif (getattr(kind, other) in values) != wanted:
            return NO_EFFECT
    return f"[{'; '.join(parts)}]" if parts else ""


def _tuples(value: Any) -> Any:
    return tuple(map(_tuples, value)) if isinstance(value, list) else value


def _written(value: Any) -> str:
    """A value as a user writes it on the command line."""
    return value if isinstance(value, str) else json.dumps(value)


def _type_text(annotation: Any) -> str:
    """`int`, `float | null`, `full | attention`: how a user writes the type."""
    origin, args = get_origin(annotation), get_args(annotation)
    if annotation is type(None):
        return "null"
    if origin is Annotated:
        return _type_text(args[0])
    if origin is tuple:
        return f"[{', '.join('...' if arg is ... else _type_text(arg) for arg in args)}]"
    if origin is Mapping:
        return "{name: ...}"
    if args:
        return " | ".join(map(_type_text, args))
    return annotation.__name__ if isinstance(annotation, type) else text(annotation)
