"""Rows of tables: CSV, Parquet and Arrow."""

from __future__ import annotations

import csv
import re
import sys
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

from paretosteer.text.pairs.bad_row import BadRow, check_names
from paretosteer.text.pairs.open_files import open_text

_QUOTED = re.compile(r'"(?:[^"]|"")*"')


def csv_rows(path: Path, kind: str) -> Iterator[tuple[int, Any]]:
    """Rows of a CSV or TSV file with a header, each with the line where it begins.

    Every cell is text: `NA`, `None` and `007` are answers like any other. Quotes are part of the
    text in a file that does not use them around cells.

    Raises
    ------
    ValueError
        If the header is unusable, or a quoted cell never ends.

    """
    csv.field_size_limit(sys.maxsize)  # an answer may be longer than the default, 131,072
    with open_text(path) as text:
        header = text.readline()
        if not header.strip():
            raise ValueError("the file is empty or begins with a blank line; use another file")
        text.seek(0)
        delimiter = "\t" if kind == ".tsv" else max(",;\t", key=header.count)
        plain = _plain_quotes(text, delimiter)
        text.seek(0)
        reader = csv.reader(
            text,
            delimiter=delimiter,
            quoting=csv.QUOTE_NONE if plain else csv.QUOTE_MINIMAL,
            strict=True,
        )
        names = next(reader)
        if len(set(names)) < len(names):
            raise ValueError(f"1: the header repeats a name ({', '.join(names)}); rename one")
        while True:
            line = reader.line_num + 1
            try:
                cells = next(reader)
            except StopIteration:
                return
            except csv.Error as error:
                if "end of data" in str(error):
                    raise ValueError(f"{line}: a quoted cell never ends; fix the quotes") from None
                yield line, BadRow(f"not a row of the table ({error})")
                continue
            if [cell.removeprefix("\ufeff") for cell in cells] == names:
                yield line, BadRow("the header is repeated; remove it")
            elif len(cells) == len(names):
                yield line, dict(zip(names, cells, strict=True))
            elif cells:
                yield line, BadRow(f"{len(cells)} cells under {len(names)} names of columns")


def _plain_quotes(lines: Iterable[str], delimiter: str) -> bool:
    """True if quotes are part of the text: every line has all cells, and few quotes match.

    A cell such as `"Yes" is the answer` begins with a quote that does not end the cell.
    """
    around = within = 0
    width = None
    for line in csv.reader(lines, delimiter=delimiter, quoting=csv.QUOTE_NONE):
        width = width or len(line)
        if line and len(line) != width:
            return False
        for cell in line:
            matched = _QUOTED.fullmatch(cell) is not None
            around, within = around + matched, within + (cell[:1] == '"' and not matched)
    return within > around


def arrow_rows(path: Path, kind: str) -> Iterator[tuple[int, Any]]:
    """Numbered rows of a Parquet file, or of an Arrow file or stream."""
    number = 0
    for batch in _batches(path, kind):
        check_names(batch.schema.names)
        for row in _exact(batch).to_pylist():
            number += 1
            yield number, row


def _exact(batch: Any) -> Any:
    """Batch whose short floats print as they were written: 0.1, not 0.10000000149011612."""
    import pyarrow

    for at, field in enumerate(batch.schema):
        if field.type in (pyarrow.float16(), pyarrow.float32()):
            values = batch.column(at).to_numpy(zero_copy_only=False)
            longer = pyarrow.array(
                [float(str(value)) for value in values], pyarrow.float64(), from_pandas=True
            )
            batch = batch.set_column(at, field.name, longer)
    return batch


def _batches(path: Path, kind: str) -> Iterable[Any]:
    import pyarrow
    import pyarrow.parquet

    if kind == ".parquet":
        yield from pyarrow.parquet.ParquetFile(path).iter_batches()
        return
    with pyarrow.memory_map(str(path)) as file:
        try:
            reader = pyarrow.ipc.open_file(file)
        except pyarrow.ArrowInvalid:  # `datasets` writes streams
            file.seek(0)
            yield from pyarrow.ipc.open_stream(file)
            return
        yield from map(reader.get_batch, range(reader.num_record_batches))
