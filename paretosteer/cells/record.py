"""The record that says a cell is finished: written last, checked whenever it is read."""

from __future__ import annotations

import json
from collections.abc import Mapping
from functools import cache, lru_cache
from importlib.resources import files
from pathlib import Path
from typing import Any

from paretosteer.errors import UsageError
from paretosteer.storage.atomic import read_json, write_json
from paretosteer.storage.digest import digest
from paretosteer.storage.untrusted import RefusedError, inside

RECORD = "record.json"
MOST_BYTES = 16 * 2**20  # of a record; a thousand points of eight objectives take half a megabyte
_DIGEST = "digest"
_LONGEST = 80  # characters of either end of a fault: it may quote all of a record


def write_record(folder: Path, record: dict[str, Any]) -> dict[str, Any]:
    """Write `folder/record.json`; gives it with its digest.

    Raises
    ------
    ValueError
        If it breaks the schema.

    """
    if wrong := problem(record):
        raise ValueError(f"record of {folder}: {wrong}")
    whole = sealed(record)
    write_json(folder / RECORD, whole)
    return whole


def read_record(folder: Path) -> dict[str, Any]:
    """The record of a cell, checked against the schema; UsageError where there is no valid one."""
    path = folder / RECORD
    try:
        place = inside(folder, RECORD)
        if place.stat().st_size > MOST_BYTES:
            raise ValueError(f"has more than {MOST_BYTES} bytes")
        record = read_json(place)
    except FileNotFoundError:
        raise UsageError(f"{folder}: no {RECORD}; the cell never finished, run it again") from None
    except (OSError, ValueError, RefusedError) as error:
        raise UsageError(f"{path}: cannot be read ({error}); run the cell again") from None
    if wrong := problem(record):
        raise UsageError(f"{path}: not a valid record: {wrong}; run the cell again")
    assert isinstance(record, dict)
    return record


@cache
def schema() -> dict[str, Any]:
    """The JSON Schema that every record follows."""
    text = (files("paretosteer.cells") / "record.schema.json").read_text(encoding="utf-8")
    loaded: dict[str, Any] = json.loads(text)
    return loaded


def problem(record: Any) -> str | None:
    """What breaks the schema, the most telling fault first, or the digest; None where both hold."""
    try:
        if not _right(record):
            return _broken(record)
    except RecursionError:
        return "nested too deeply"
    except ValueError:
        return "holds what JSON cannot: NaN, infinity or half a surrogate pair"
    if as_written(record):
        return None
    return "it was changed after it was written, its digest is another"


def reason(record: Mapping[str, Any]) -> str:
    """Why a cell has no scores, or not all; nothing where it has."""
    if error := record.get("error"):
        return f"{error['type']} while in {error['stage']}: {error['message']}"
    return record.get("reason") or ""


def sealed(record: Mapping[str, Any]) -> dict[str, Any]:
    """The record with a digest of all else in it, by which damage and mistakes show."""
    return {**record, _DIGEST: _digest(record)}


def as_written(record: Mapping[str, Any]) -> bool:
    """Whether what was sealed is as it was; earlier versions sealed nothing."""
    try:
        return _DIGEST not in record or record[_DIGEST] == _digest(record)
    except (ValueError, RecursionError):  # NaN, infinity or such a depth are written by nobody
        return False


def _digest(record: Mapping[str, Any]) -> str:
    rest = {name: value for name, value in record.items() if name != _DIGEST}
    return digest(json.loads(json.dumps(rest)))  # as a reader finds it


def _broken(record: Any) -> str | None:
    from jsonschema.exceptions import best_match

    error = best_match(_validator().iter_errors(record))
    if error is None:
        return None
    return f"{'.'.join(map(str, error.absolute_path)) or 'top level'}: {_short(error.message)}"


def _short(message: str) -> str:
    """A message with both ends: the fault is named at the last."""
    if len(message) <= 2 * _LONGEST:
        return message
    return f"{message[:_LONGEST]}…{message[-_LONGEST:]}"


def _right(record: Any) -> bool:
    """Whether a record keeps to the schema, at a fraction of the time that a fault takes to find.

    The records of a sweep differ in little: what was found right in one is not checked in the next.
    """
    return (
        isinstance(record, dict)
        and _outline().is_valid(record)
        and all(_part_right(name, _json(value)) for name, value in record.items())
    )


def _json(value: Any) -> str:
    return json.dumps(value, allow_nan=False)


@lru_cache(maxsize=1024)
def _part_right(name: str, text: str) -> bool:
    """Whether a top-level value, as JSON, is what the schema says of it alone."""
    part = _validator().evolve(schema=schema()["properties"][name])
    return bool(part.is_valid(json.loads(text)))


@cache
def _validator() -> Any:
    """JSON Schema takes 20.0 for an integer; what counts and formats does not."""
    from jsonschema import Draft202012Validator, validators

    types = Draft202012Validator.TYPE_CHECKER.redefine(
        "integer", lambda _, value: type(value) is int
    )
    extend: Any = validators.extend  # it is not typed
    return extend(Draft202012Validator, type_checker=types)(schema())


@cache
def _outline() -> Any:
    """The schema with nothing about single properties but their names."""
    anything = dict.fromkeys(schema()["properties"], True)
    return _validator().evolve(schema=schema() | {"properties": anything})
