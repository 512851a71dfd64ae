"""Rows of JSON: one object per line, an array, or a document that wraps the rows."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from functools import lru_cache
from itertools import chain
from pathlib import Path
from typing import TYPE_CHECKING, Any

from paretosteer.text.pairs.bad_row import BadRow, check_names
from paretosteer.text.pairs.json_numbers import decoder
from paretosteer.text.pairs.open_files import DAMAGE, kind_of, text_lines

if TYPE_CHECKING:
    from paretosteer.text.pairs.pair_source import Source

_WRAPPERS = ("data", "rows", "examples", "instances", "records", "items")
_SCHEMAS = ("features", "fields", "columns", "schema")  # beside the rows, what they consist of
_SPLIT = re.compile(r"(train|test|valid|val|dev|eval)", re.IGNORECASE)
_MESSAGE = ({"role", "content"}, {"from", "value"})


def json_values(lines: Iterable[str], split: str | None) -> Iterator[tuple[int, Any]]:
    """Numbered values: by line for JSON lines, by index for any other document.

    A line that cannot be parsed gives a `BadRow`.

    Raises
    ------
    ValueError
        If the text is empty, an array is not JSON, or the document has no such split.

    """
    numbered = ((number, line) for number, line in enumerate(lines, start=1) if line.strip())
    first, second = next(numbered, None), next(numbered, None)
    if first is None:
        raise ValueError("the file is empty; use another file")
    value = _parsed(first[1])
    if second is None or isinstance(value, BadRow) or first[1].lstrip().startswith("["):
        texts = [first, *([] if second is None else [second]), *numbered]
        document = _parsed("".join(line for _, line in texts))
        if not isinstance(document, BadRow):
            yield from enumerate(_rows(document, split), start=1)
        elif first[1].lstrip().startswith("["):
            raise ValueError(f"{first[0]}: {document.reason}")
        else:
            yield from _several(texts)
        return
    if split:
        raise ValueError("the file has no splits; remove this setting")
    yield first[0], value
    for number, line in chain([second], numbered):
        yield number, _parsed(line)


def splits_of(source: Source) -> list[str]:
    """Splits of a JSON file; empty if it has none, or cannot be read."""
    if kind_of(source.path) != ".json":
        return []
    return _splits_in(Path(source.path), source.digest())


@lru_cache(maxsize=16)
def _splits_in(path: Path, content: str) -> list[str]:
    """Splits of a file, cached by `content`, since every cell of a sweep asks for them."""
    try:
        return _splits(_parsed("".join(text_lines(path))))
    except DAMAGE:
        return []


def _several(texts: list[tuple[int, str]]) -> Iterator[tuple[int, Any]]:
    """Objects that follow each other over several lines, otherwise the values of the lines."""
    text, values = "".join(line for _, line in texts), []
    start = 0
    try:
        while rest := text[start:].lstrip():
            value, end = _DECODER.raw_decode(rest)
            values.append(value)
            start = len(text) - len(rest) + end
    except (ValueError, RecursionError):
        yield from ((number, _parsed(line)) for number, line in texts)
    else:
        yield from enumerate(values, start=1)


def _parsed(text: str) -> Any:
    try:
        return _DECODER.decode(text)
    except (ValueError, RecursionError) as error:
        return BadRow(f"not JSON ({error}); fix or remove the line")


def _object(items: list[tuple[str, Any]]) -> dict[str, Any]:
    """Object of JSON, whose parser would silently use the last of two values with one name."""
    check_names([name for name, _ in items])
    return dict(items)


_DECODER = decoder(_object)


def _rows(document: Any, split: str | None) -> Iterable[Any]:
    """Rows of a document: an array, `{"data": […]}`, `{"train": […]}`, or columns of a table."""
    if splits := _splits(document):
        return _rows(document[_chosen(splits, split)], None)
    if split:
        raise ValueError("the file has no splits; remove this setting")
    if not isinstance(document, Mapping):
        return document if isinstance(document, list) else [document]
    if isinstance(document.get("columns"), list) and isinstance(document.get("data"), list):
        check_names(document["columns"])
        return [dict(zip(document["columns"], row, strict=True)) for row in document["data"]]
    wrapped = [name for name in _WRAPPERS if _many(document.get(name))]
    if len(wrapped) == 1:
        _check_alone(document, wrapped[0])
        rows = document[wrapped[0]]
        return [_unwrapped(row) if isinstance(row, Mapping) else row for row in rows]
    return _table(document) or [document]


def _check_alone(document: Mapping[str, Any], name: str) -> None:
    """Raise ValueError if a document has further rows beside those of this name."""
    for other, rows in document.items():
        if other not in (name, *_SCHEMAS) and isinstance(rows, list) and _many(rows):
            raise ValueError(f"it holds rows under {name} and under {other}; keep one of them")


def _splits(document: Any) -> list[str]:
    """Names of the splits of which a document consists; empty for any other document."""
    if not isinstance(document, Mapping):
        return []
    splits = [name for name, rows in document.items() if _SPLIT.match(name) and _many(rows)]
    return splits if len(splits) == len(document) else []


def _unwrapped(row: Mapping[str, Any]) -> Any:
    """Row of the hub's data set viewer, which wraps it once more and shortens long cells."""
    if cut := row.get("truncated_cells") if "row" in row else None:
        return BadRow(f"truncated_cells names {cut}, which the viewer shortened; use the data set")
    return row.get("row", row)


def _table(document: Mapping[str, Any]) -> list[Any] | None:
    """Rows of a table by column, or by index, as pandas' `to_json` and `to_dict` write them."""
    values = list(document.values())
    if values and all(isinstance(value, Mapping) for value in values):
        if all(map(_index, document)):
            return values
        keys = list(values[0])
        if keys and all(list(value) == keys for value in values) and all(map(_index, keys)):
            return [{name: column[key] for name, column in document.items()} for key in keys]
    if values and all(isinstance(value, list) and value for value in values):
        cells = [cell for value in values for cell in value]
        if len(set(map(len, values))) == 1 and not any(map(_is_message, cells)):
            return [dict(zip(document, row, strict=True)) for row in zip(*values, strict=True)]
    return None


def _index(key: str) -> bool:
    return key.lstrip("-").isdigit()


def _is_message(value: Any) -> bool:
    return isinstance(value, Mapping) and any(names <= set(value) for names in _MESSAGE)


def _many(rows: Any) -> bool:
    """True for a non-empty list of objects, or for a table by column."""
    if isinstance(rows, Mapping):
        return _table(rows) is not None
    return isinstance(rows, list) and bool(rows) and isinstance(rows[0], Mapping)


def _chosen(names: list[str], split: str | None) -> str:
    name = split or (names[0] if len(names) == 1 else "train")
    if name not in names:
        raise ValueError(f"the file has no split {name!r}; use one of {', '.join(names)}")
    return name
