"""Cache of work that cells share: content-addressed folders, each made once behind a lock."""

from __future__ import annotations

import logging
import os
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from paretosteer.errors import UsageError
from paretosteer.storage import opened_files, origin
from paretosteer.storage.atomic import (
    DRAFT,
    atomic_folder,
    check_writable,
    cleared,
    remove,
    write_json,
)
from paretosteer.storage.digest import digest, file_digest
from paretosteer.storage.unscored import Unscored, telling
from paretosteer.storage.untrusted import RefusedError, read_json

log = logging.getLogger(__name__)
MANIFEST = "manifest.json"
Key = Mapping[str, Any]


def root() -> Path:
    """`PARETOSTEER_CACHE`, or `~/.cache/paretosteer`."""
    return Path(os.environ.get("PARETOSTEER_CACHE") or Path.home() / ".cache" / "paretosteer")


def cached(
    kind: str, key: Key | Callable[[], Key], make: Callable[[Path], None], *, exact: bool = False
) -> Path:
    """Folder of the entry `key` of one kind; `make(folder)` fills it if it does not exist.

    `key` (JSON-like) is everything that the content depends on: a function where this includes
    files that `make` reads. Libraries and device need not be part of it: the manifest names them,
    and the records of cells say where they differ (`origin`). An `exact` entry does not depend on
    them. If several jobs ask, one makes the entry and the others wait. An entry whose files or key
    do not match its manifest is made again.

    Raises
    ------
    UsageError
        If the cache cannot be written and lacks the entry, or the key changed while the entry was
        made.

    """
    from filelock import FileLock

    from paretosteer.runtime.process_state import known_state

    own = _current(key)
    folder = entry(kind, own)
    try:
        check_writable(root(), "PARETOSTEER_CACHE")
    except UsageError:  # maybe shared by several users, and filled by another one
        if complete := existing(kind, own):
            return complete
        raise
    folder.parent.mkdir(parents=True, exist_ok=True)
    with FileLock(cleared(folder.with_suffix(".lock"))):
        problem = _problem(folder, kind, own)
        if problem is None:
            _note_use(kind, folder)
            return folder
        if folder.exists():
            log.warning("cache entry %s %s; rebuilding it", folder, problem)
        with atomic_folder(folder) as draft:
            # A notebook may ask, and others use the entry.
            with known_state(), origin.uses() as parts:
                make(draft)
            if digest(_current(key)) != digest(own):
                _remove_unfinished(folder)
                raise UsageError(
                    f"{kind}: a file from which it is made was edited meanwhile; run the command "
                    "again"
                )
            opened = opened_files.digests(opened_files.openers(parts.code, own=[str(root())]))
            own_origin = {**parts.here(), **({"opened": opened} if opened else {})}
            made: list[origin.Origin] = [] if exact else [own_origin]
            for part, origins in parts.origins.items():
                origin.note_use(part, origins)
                made += [each for each in origins if each not in made]
            manifest = {"kind": kind, "key": own, "files": _files(draft), "made": made}
            manifest |= {"unscored": telling(parts.unscored)}
            write_json(draft / MANIFEST, manifest)
        _remove_unfinished(folder)
    _note_use(kind, folder)
    return folder


def unfinished(folder: Path) -> Path:
    """Folder beside the `folder` that `make` fills; snapshots in it outlive a killed process.

    Work continues from them under the same libraries and on the same kind of device only.
    """
    return folder.with_name(f"{_unfinished(folder)}{digest(origin.here())[:8]}")


def existing(kind: str, key: Key) -> Path | None:
    """Folder of an entry that is complete; None if there is none."""
    folder = entry(kind, key)
    if not folder.is_dir() or _problem(folder, kind, key) is not None:
        return None
    _note_use(kind, folder)
    return folder


def entry(kind: str, key: Key) -> Path:
    """Path of an entry, whether or not it exists."""
    return root() / kind / digest(key)[:32]


def _current(key: Key | Callable[[], Key]) -> Key:
    return key() if callable(key) else key


def _unfinished(folder: Path) -> str:
    return f".unfinished-{folder.name.removeprefix(DRAFT)}-"


def _remove_unfinished(folder: Path) -> None:
    for path in folder.parent.glob(f"{_unfinished(folder)}*"):
        remove(path)


def _note_use(kind: str, folder: Path) -> None:
    manifest = read_json(folder, MANIFEST)
    origin.note_use(kind, manifest.get("made", []))
    for source, counts in manifest.get("unscored", {}).items():
        origin.note_unscored(source, Unscored.of(counts))


def _files(folder: Path) -> dict[str, str]:
    """Digest of every file of an entry except the manifest, by its path inside the entry."""
    found = sorted(path for path in folder.rglob("*") if path.is_file())
    names = {path.relative_to(folder).as_posix(): path for path in found}
    return {name: file_digest(path) for name, path in names.items() if name != MANIFEST}


def _problem(folder: Path, kind: str, key: Key) -> str | None:
    """Reason why the folder of an entry cannot be used for this key; None if it can."""
    try:
        manifest = read_json(folder, MANIFEST)
        entry, files = [manifest["kind"], manifest["key"]], manifest["files"]
        if digest(entry) != digest([kind, key]):
            return "is another entry, copied or renamed"
    except (RefusedError, KeyError, TypeError, ValueError):
        return "has no valid manifest"
    return None if files == _files(folder) else "does not match its manifest"
