"""Rows of a source, each with its location for errors."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any, NoReturn

from paretosteer.errors import UsageError, first_line
from paretosteer.text.pairs.bad_row import BadRow
from paretosteer.text.pairs.dataset_rows import dataset_files, dataset_rows
from paretosteer.text.pairs.json_rows import json_values
from paretosteer.text.pairs.open_files import DAMAGE, kind_of, text_lines
from paretosteer.text.pairs.pair_source import Source
from paretosteer.text.pairs.table_rows import arrow_rows, csv_rows

Row = tuple[str, Mapping[str, Any]]  # location, such as `pairs.jsonl:17`; values by column
_SURROGATE = re.compile("[\\ud800-\\udfff]")
Leave = Callable[[str, str], None]  # takes the location and the fault of a row that is left out


def read_rows(source: Source, leave_out: Leave | None = None) -> Iterator[Row]:
    """Iterate over the rows of a source, with its columns renamed.

    `leave_out` is called for every row that cannot be read. Without it, such a row is an error.

    Raises
    ------
    UsageError
        If the source, or one of its rows, cannot be read (with file and number).

    """

    def refuse(location: str, fault: str) -> NoReturn:
        raise UsageError(f"{source.option}: {location}: {fault}")

    leave, names = leave_out or refuse, dict(source.columns)
    missing = set(names.values())
    for location, row in _located(source):
        if isinstance(row, BadRow):
            leave(location, row.reason)
        elif not isinstance(row, Mapping):
            leave(
                location,
                f"found {type(row).__name__}; use an object with one value per column",
            )
        elif (column := _broken(row)) is not None:
            leave(location, f"{column} has half of a surrogate pair, or a byte that is not UTF-8")
        else:
            missing = {column for column in missing if not _inside(row, column)[0]}
            yield location, _renamed(row, names) if names else row
    if missing:
        name = min(name for name, column in names.items() if column in missing)
        raise UsageError(
            f"{source.option}.columns.{name}: no row of {source.path!r} has a column "
            f"{names[name]!r}; fix the name"
        )


def _located(source: Source) -> Iterator[tuple[str, Any]]:
    """Rows with their locations."""
    files = [Path(source.path)] if source.is_file else dataset_files(source)
    if files is None:
        for number, row in enumerate(dataset_rows(source), start=1):
            yield f"{source.path}:{number}", row
        return
    split = source.split if source.is_file else None  # of a folder, it has chosen the files
    for path in files:
        for number, row in _numbered(source.option, path, split):
            yield f"{path}:{number}", row


def _numbered(option: str, path: Path, split: str | None) -> Iterator[tuple[int, Any]]:
    """Rows of a file with their numbers, and errors of the whole file with the number reached."""
    kind, number = kind_of(str(path)), 0
    try:
        for number, row in _rows(path, kind, split):
            yield number, row
    except UsageError:
        raise
    except (*DAMAGE, ValueError) as error:  # pyarrow's errors are ValueErrors
        if kind in (".parquet", ".arrow"):
            title = "Parquet" if kind == ".parquet" else "Arrow"
            fault = f": not a readable {title} file ({first_line(error)}); use another file"
        elif isinstance(error, DAMAGE):
            fault = f":{number + 1}: cannot be read ({error}); use a complete file"
        else:
            fault = f": {error}" if not str(error)[:1].isdigit() else f":{error}"
        raise UsageError(f"{option}: {path}{fault}") from None


def _rows(path: Path, kind: str | None, split: str | None) -> Iterable[tuple[int, Any]]:
    if kind in (".csv", ".tsv"):
        return csv_rows(path, kind)
    if kind in (".parquet", ".arrow"):
        return arrow_rows(path, kind)
    return json_values(text_lines(path), split)


def _broken(row: Mapping[str, Any]) -> str | None:
    """Name of a column whose text cannot be written as UTF-8."""
    return next((str(name) for name, value in row.items() if not _is_unicode([name, value])), None)


def _is_unicode(value: Any) -> bool:
    if isinstance(value, str):
        # `isascii` is a flag of the string, and most texts are ASCII.
        return value.isascii() or not _SURROGATE.search(value)
    if isinstance(value, Mapping):
        return all(_is_unicode(part) for item in value.items() for part in item)
    return all(map(_is_unicode, value)) if isinstance(value, list | tuple) else True


def _renamed(row: Mapping[str, Any], names: Mapping[str, str]) -> Mapping[str, Any]:
    """Row with other names for its columns; `info.post` is a value inside a column."""
    replaced = {name: _inside(row, column) for name, column in names.items()}
    used = set(names.values())
    return {name: value for name, value in row.items() if name not in used} | {
        name: value for name, (there, value) in replaced.items() if there
    }


def _inside(row: Mapping[str, Any], column: str) -> tuple[bool, Any]:
    if column in row:
        return True, row[column]
    value: Any = row
    for name in column.split("."):
        if not isinstance(value, Mapping) or name not in value:
            return False, None
        value = value[name]
    return True, value
