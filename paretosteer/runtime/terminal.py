"""Make text of any origin safe to print: no control sequences, no secrets."""

from __future__ import annotations

import os
import shutil
import sys
import textwrap
import unicodedata
from collections.abc import Iterable
from typing import TextIO

from paretosteer.runtime.secrets import redact

_TURNING = "\u061c\u200e\u200f\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069"


def printable(text: str) -> str:
    """Text in which line feeds and tabs stay and what else could steer a terminal is written out.

    That is control characters (an escape sequence begins with one) and those that turn the
    direction of writing.
    """
    return "".join(c if c in "\n\t" or not _steers(c) else _escaped(c) for c in text)


def line(text: object) -> str:
    """One printable line without secrets, for messages about cells, files and errors."""
    return printable(redact(str(text))).replace("\n", r"\n")


def output_width() -> int | None:
    """Columns of standard output, which `COLUMNS` sets; None for a pipe or file without it."""
    columns = os.environ.get("COLUMNS", "")
    if columns.isdecimal() and int(columns):
        return int(columns)
    return shutil.get_terminal_size().columns if sys.stdout.isatty() else None


def wrapped(text: str, stream: TextIO) -> str:
    """Text wrapped at words if the stream is a terminal."""
    return wrapped_at(text, shutil.get_terminal_size().columns) if stream.isatty() else text


def wrapped_at(text: str, width: int) -> str:
    """Text wrapped at words; a longer word, such as a path, stays whole."""
    return textwrap.fill(
        text, width, break_long_words=False, break_on_hyphens=False, replace_whitespace=False
    )


def plural(count: int, noun: str) -> str:
    """A count with its noun: 1 cell, 6 cells."""
    return f"{count} {noun}{'' if count == 1 else 's'}"


def enumerated(words: Iterable[str], joint: str = "and") -> str:
    """Words in a sentence: a, b and c."""
    *others, last = words
    return f"{', '.join(others)} {joint} {last}" if others else last


def byte_size(count: float) -> str:
    """Bytes in the largest unit that keeps the number above one: 1.5 GB."""
    for unit in ("B", "kB", "MB", "GB"):
        if count < 1000:
            return f"{count:.3g} {unit}"
        count /= 1000
    return f"{count:.3g} TB"


def _steers(character: str) -> bool:
    return unicodedata.category(character) in {"Cc", "Cs"} or character in _TURNING


def _escaped(character: str) -> str:
    return character.encode("unicode_escape").decode("ascii")
