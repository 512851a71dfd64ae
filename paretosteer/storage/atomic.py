"""Atomic writes of files and folders: after a crash they are complete or absent."""

from __future__ import annotations

import json
import os
import secrets
import shutil
import stat
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from paretosteer.errors import UsageError

DRAFT = ".draft-"


@contextmanager
def atomic_write(path: Path) -> Iterator[Path]:
    """Yield a temporary path beside `path`; on success rename it to `path`.

    The draft has the suffix of `path`, on which some writers depend. After an error it is removed;
    a killed process leaves it to `remove_drafts`.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    draft = path.with_name(f"{DRAFT}{secrets.token_hex(4)}-{path.name}")
    try:
        yield draft
        _sync(draft)
        draft.replace(cleared(path))
        _sync(path.parent)
    finally:
        draft.unlink(missing_ok=True)


@contextmanager
def atomic_folder(path: Path) -> Iterator[Path]:
    """Yield a new folder beside `path`; on success it replaces `path`.

    For one writer at a time: the unfinished draft of an earlier one is removed.
    """
    draft = path.with_name(f"{DRAFT}{path.name}")
    remove(draft)
    draft.mkdir(parents=True)
    try:
        yield draft
        for file in draft.rglob("*"):
            _sync(file)
        _sync(draft)
        remove(path)
        draft.replace(path)
        _sync(path.parent)
    finally:
        shutil.rmtree(draft, ignore_errors=True)


def write_json(path: Path, value: Any) -> None:
    """Write JSON atomically; ValueError for NaN and infinity, which JSON does not have."""
    text = json.dumps(value, indent=1, ensure_ascii=False, allow_nan=False)
    with atomic_write(path) as draft:
        draft.write_text(text + "\n", encoding="utf-8")


def regular(path: Path) -> Path:
    """Path of a file; OSError for a pipe or a device, which a reader would wait for."""
    if path.exists() and not path.is_file():
        raise OSError("is not a regular file")
    return path


def remove_drafts(folder: Path) -> None:
    """Remove the drafts of killed writers. No other process may be writing to the folder."""
    for path in folder.glob(f"{DRAFT}*"):
        remove(path)


def remove(path: Path) -> None:
    """Remove a file, a folder with its contents, or a link, if there is one."""
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path)
    else:
        path.unlink(missing_ok=True)


def cleared(path: Path) -> Path:
    """Path of a file to be written, after removing anything there that is not a file."""
    with suppress(FileNotFoundError):
        if not stat.S_ISREG(path.lstat().st_mode):
            remove(path)
    return path


def check_writable(folder: str | Path, setting: str = "sweep_dir") -> None:
    """Raise UsageError if the folder of a setting cannot be written, before a cell runs."""
    place = nearest(Path(folder))
    if found := in_the_way(place):
        raise UsageError(f"{setting}: {place} is {found}; use a folder")
    if not os.access(place, os.W_OK | os.X_OK):
        raise UsageError(
            f"{setting}: {place} cannot be written; use a folder for which you have write "
            "permission"
        )


def nearest(folder: Path) -> Path:
    """Nearest existing folder: the folder itself or an ancestor."""
    place = folder.absolute()
    while not os.path.lexists(place):
        place = place.parent
    return place


def in_the_way(place: Path) -> str:
    """Describe what is in the place of a folder; empty if it is a folder."""
    try:
        if place.is_dir():
            return ""
    except PermissionError:
        pass  # a link to where this user may not look
    return "a link to no folder" if place.is_symlink() else "a file"


def _sync(path: Path) -> None:
    """Push a file or a folder to the disk, so that a crash cannot undo the rename."""
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
