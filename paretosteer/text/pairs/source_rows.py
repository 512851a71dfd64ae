"""Rows of a source, each with its location for errors."""

from __future__ import annotations

import gzip
import json
import zlib
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

from paretosteer.errors import UsageError
from paretosteer.text.pairs.pair_source import Source

Row = tuple[str, Mapping[str, Any]]  # location, such as `pairs.jsonl:17`; values by column

_SAVED = ("dataset_info.json", "dataset_dict.json")  # files written by save_to_disk


def read_rows(source: Source) -> Iterator[Row]:
    """Iterate over the rows of a source.

    Raises
    ------
    UsageError
        If the source or one of its lines cannot be read, with file and number.

    """
    if source.path.endswith(".parquet"):
        return _numbered(source, _parquet(source))
    if source.is_file:
        return _numbered(source, _json(source))
    return _numbered(source, enumerate(_dataset(source), start=1))


def _numbered(source: Source, rows: Iterable[tuple[int, Any]]) -> Iterator[Row]:
    for number, row in rows:
        if not isinstance(row, Mapping):
            raise UsageError(
                f"{source.option}: {source.path}:{number}: found {type(row).__name__}; use an "
                "object with one value per column"
            )
        yield f"{source.path}:{number}", row


def _json(source: Source) -> Iterator[tuple[int, Any]]:
    """Numbered values of JSON lines (by line) or of a single JSON array (by index)."""
    lines = enumerate(_lines(source), start=1)
    nonblank = ((number, line) for number, line in lines if line.strip())
    first = next(nonblank, None)
    if first is None:
        raise UsageError(f"{source.option}: {source.path}: the file is empty; use another file")
    if first[1].lstrip().startswith(b"["):
        whole = b"".join([first[1], *(line for _, line in nonblank)])
        yield from enumerate(_value(source, f"{first[0]}", whole), start=1)
        return
    for number, line in (first, *nonblank):
        yield number, _value(source, str(number), line)


def _value(source: Source, number: str, text: bytes) -> Any:
    try:
        return json.loads(text)
    except ValueError as error:  # includes UnicodeDecodeError
        raise UsageError(
            f"{source.option}: {source.path}:{number}: not JSON ({error}); fix or remove the line"
        ) from None


def _lines(source: Source) -> Iterator[bytes]:
    path, number = Path(source.path), 0
    try:
        with gzip.open(path) if path.suffix == ".gz" else path.open("rb") as stream:
            for number, line in enumerate(stream, start=1):  # noqa: B007
                yield line
    except (OSError, EOFError, zlib.error) as error:
        raise UsageError(
            f"{source.option}: {source.path}:{number + 1}: cannot be read ({error}); "
            "use a complete file"
        ) from None


def _parquet(source: Source) -> Iterator[tuple[int, Any]]:
    import pyarrow.parquet

    number = 0
    try:
        for batch in pyarrow.parquet.ParquetFile(source.path).iter_batches():
            for row in batch.to_pylist():
                number += 1
                yield number, row
    except (OSError, ValueError) as error:  # pyarrow's errors are ValueErrors
        raise UsageError(
            f"{source.option}: {source.path}: not a readable Parquet file "
            f"({_first_line(error)}); use another file"
        ) from None


def _dataset(source: Source) -> Iterable[Any]:
    """Rows of a folder written by save_to_disk, of a folder of data files, or of the hub."""
    from datasets import DatasetDict, load_dataset, load_from_disk

    # `datasets` takes this name for its loader of pickled frames, which could run any code.
    if source.path == "pandas":
        raise UsageError(f"{source.option}: pickled frames are never loaded; use Parquet files")
    saved = any((Path(source.path) / name).exists() for name in _SAVED)
    try:
        if not saved:
            return load_dataset(
                source.path,
                data_dir=source.folder,
                revision=source.revision,
                split=source.split or "train",
            )
        dataset = load_from_disk(source.path)
    except Exception as error:  # loaders and the network raise arbitrary errors
        raise UsageError(_unloaded(source, error)) from None
    if not isinstance(dataset, DatasetDict):
        return dataset
    split = source.split or "train"
    if split not in dataset:
        raise UsageError(
            f"{source.option}.split: {source.path!r} has no split {split!r}; "
            f"use one of {', '.join(map(str, dataset))}"
        )
    return dataset[split]


def _unloaded(source: Source, error: Exception) -> str:
    reason = f"({type(error).__name__}: {_first_line(error)})"
    if Path(source.path).is_dir():
        return (
            f"{source.option}: {source.path!r} cannot be loaded as a data set {reason}; "
            "use another folder or a file"
        )
    return (
        f"{source.option}: the data set {source.path!r} cannot be loaded from the hub {reason}; "
        f"without a network, use a file: {source.option}=/path/to/file.jsonl.gz"
    )


def _first_line(error: Exception) -> str:
    return next(iter(str(error).strip().splitlines()), "no reason given")
