"""Opening of data files: compression by suffix, and encoding by byte-order mark."""

from __future__ import annotations

import bz2
import codecs
import gzip
import io
import lzma
import zlib
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import IO, Any

KINDS = (".jsonl", ".ndjson", ".json", ".csv", ".tsv", ".parquet", ".arrow")
_BINARY = (".parquet", ".arrow")  # compressed inside, never around


def _zstandard(path: Path) -> IO[bytes]:
    import pyarrow

    return io.BufferedReader(pyarrow.input_stream(str(path), compression="zstd"))


_COMPRESSIONS: dict[str, Callable[[Path], Any]] = {
    ".gz": gzip.open,
    ".bz2": bz2.open,
    ".xz": lzma.open,
    ".zst": _zstandard,
}
COMPRESSIONS = tuple(_COMPRESSIONS)

# Errors of a damaged or truncated file, whatever its compression.
DAMAGE = (OSError, EOFError, zlib.error, lzma.LZMAError)

# The mark of UTF-32 begins with that of UTF-16, so it comes first.
_MARKS = {
    codecs.BOM_UTF32_LE: "utf-32",
    codecs.BOM_UTF32_BE: "utf-32",
    codecs.BOM_UTF8: "utf-8-sig",
    codecs.BOM_UTF16_LE: "utf-16",
    codecs.BOM_UTF16_BE: "utf-16",
}


def kind_of(path: str) -> str | None:
    """Suffix in `KINDS` of a path, in any case and before a compression, or None."""
    name, compressed = path.casefold(), False
    for suffix in _COMPRESSIONS:
        if name.endswith(suffix):
            name, compressed = name.removesuffix(suffix), True
            break
    kind = next((kind for kind in KINDS if name.endswith(kind)), None)
    return None if compressed and kind in _BINARY else kind


def open_text(path: Path) -> io.TextIOWrapper:
    """Decompressed text of a file, with its line ends unchanged.

    Bytes that are not valid in the encoding become lone surrogates, so that the rows that hold
    them can be left out one by one.
    """
    stream = io.BufferedReader(_opened(path))
    encoding = next((name for mark, name in _MARKS.items() if stream.peek(4).startswith(mark)), "")
    return io.TextIOWrapper(stream, encoding or "utf-8", errors="surrogateescape", newline="")


def text_lines(path: Path) -> Iterator[str]:
    """Lines of a file, separated by line feeds; files joined end to end may repeat the mark."""
    with open_text(path) as text:
        text.reconfigure(newline="\n")
        for line in text:
            yield line.removeprefix("\ufeff")


def _opened(path: Path) -> Any:
    opener = _COMPRESSIONS.get(path.suffix.casefold())
    return opener(path) if opener else path.open("rb")
