"""Read files of an untrusted folder: without blocking, and never outside of it."""

from __future__ import annotations

import hashlib
import json
import os
import stat
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from io import BufferedReader
from pathlib import Path, PurePosixPath
from typing import Any, NoReturn

MOST_TEXT = 64 * 2**20  # bytes of JSON; reports have about a hundredth


class RefusedError(Exception):
    """A file cannot be read safely or has unexpected content; the message says which."""


def inside(folder: Path, name: str) -> Path:
    """Path of a file below a folder; RefusedError if its name or a link leads outside."""
    parts = PurePosixPath(name).parts
    if not parts or name.startswith("/") or ".." in parts or "\\" in name or "\0" in name:
        raise RefusedError(f"{name!r} is not a path inside the cell's folder")
    path = folder
    for part in parts:
        path = path / part
        if path.is_symlink():
            raise RefusedError(f"{name} is a link, which may lead out of the cell's folder")
    return path


@contextmanager
def opened(folder: Path, name: str) -> Iterator[BufferedReader]:
    """Open a regular file. Pipes and devices are refused: opening one could block."""
    try:
        handle = os.open(inside(folder, name), os.O_RDONLY | os.O_NONBLOCK | os.O_NOFOLLOW)
    except FileNotFoundError:
        raise RefusedError(f"{name} is absent") from None
    except OSError as error:
        raise RefusedError(f"{name} cannot be opened ({error.strerror})") from None
    if not stat.S_ISREG(os.fstat(handle).st_mode):
        os.close(handle)
        raise RefusedError(f"{name} is not a regular file")
    with os.fdopen(handle, "rb") as stream:
        try:
            yield stream
        except OSError as error:
            raise RefusedError(f"{name} cannot be read ({error.strerror})") from None


def read(folder: Path, name: str, most: int) -> bytes:
    """A file's bytes; RefusedError where there are more than `most`."""
    with opened(folder, name) as stream:
        found = stream.read(most + 1)
    if len(found) > most:
        raise RefusedError(f"{name} has more than {most} bytes")
    return found


def digest(folder: Path, name: str) -> str:
    """SHA-256 of a file of any size."""
    with opened(folder, name) as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def read_json(folder: Path, name: str, most: int = MOST_TEXT) -> Any:
    """Parse a JSON file that holds only finite numbers and valid Unicode, as our own files do."""
    try:
        text = read(folder, name, most).decode("utf-8")
        return parse_json(text, parse_constant=_no_number, parse_float=_number)
    except RecursionError:
        raise RefusedError(f"{name} is nested too deeply") from None
    except ValueError as error:
        raise RefusedError(f"{name} is not valid JSON ({error})") from None


def parse_json(text: str, **numbers: Callable[[str], Any]) -> Any:
    """Parse JSON text with parsers of its numbers; ValueError or RecursionError if invalid."""
    value = json.loads(text, **numbers)  # type: ignore[arg-type]
    if r"\ud" in text:  # half of a surrogate pair: valid JSON, but not valid Unicode
        json.dumps(value, ensure_ascii=False).encode()
    return value


def _number(text: str) -> float:
    value = float(text)
    return value if abs(value) != float("inf") else _no_number(text)


def _no_number(text: str) -> NoReturn:
    raise ValueError(f"{text[:20]} is not a finite number")
