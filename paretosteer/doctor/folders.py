"""Where runs write: the sweep's folder and the cache."""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

from paretosteer.doctor import Probe
from paretosteer.findings import Finding
from paretosteer.runtime.terminal import byte_size
from paretosteer.storage import cache
from paretosteer.storage.atomic import in_the_way, nearest
from paretosteer.storage.locks import holder

_LEAST_DISK = 1e9
_NETWORKS = {"nfs", "nfs4", "cifs", "smb3", "smbfs", "lustre", "gpfs", "beegfs", "afs", "ceph"}
_NETWORKS |= {"9p", "glusterfs", "fuse.sshfs", "fuse.glusterfs", "fuse.s3fs", "fuse.gcsfuse"}
_MOST_FILES = 200_000  # a cache with more is not measured to the end


def sweep_dir(folder: Path) -> Iterator[Finding]:
    """Free disk and file system of the sweep's folder, and whether files can be locked there."""
    yield from _place("sweep_dir", folder, "choose another sweep_dir")


def cache_folder(_: Path) -> Iterator[Finding]:
    """Where shared work is kept, and how much of it there is."""
    root = cache.root()
    yield from _place("cache", root, "set PARETOSTEER_CACHE to a folder that is yours")
    if root.is_dir():
        yield Finding("ok", "cache holds", _contents(root))
        yield from _unfinished(root)
        yield from _start_models(root)


def _place(what: str, folder: Path, remedy: str) -> Iterator[Finding]:
    there = nearest(folder)
    told = f"{folder} ({'there' if there == folder.absolute() else 'not there yet'})"
    if found := in_the_way(there):
        yield Finding("fault", what, f"{there} is {found}", remedy)
        return
    yield Finding("ok", what, told)
    free = shutil.disk_usage(there).free
    disk = f"{byte_size(free)} free on {_file_system(there) or 'an unknown file system'}"
    if free < _LEAST_DISK:
        yield Finding("fault", f"{what} disk", disk, f"free some, or {remedy}")
    elif _file_system(there) in _NETWORKS:
        slow = "small files are slow on a network, and locks may not hold between machines"
        yield Finding("note", f"{what} disk", disk, f"{slow}; {remedy}")
    else:
        yield Finding("ok", f"{what} disk", disk)
    try:
        holds = _locks(there)
    except OSError as error:
        told = f"cannot be written ({error.strerror or error})"
        yield Finding("fault", f"{what} locks", told, remedy)
        return
    if holds:
        yield Finding("ok", f"{what} locks", "files can be written and locked")
    else:
        yield Finding("fault", f"{what} locks", "a lock keeps nobody out", remedy)


def _file_system(folder: Path) -> str:
    import psutil

    mounts = {part.mountpoint: part.fstype for part in psutil.disk_partitions(all=True)}
    place = folder.resolve()
    return next((mounts[str(p)] for p in [place, *place.parents] if str(p) in mounts), "")


def _locks(folder: Path) -> bool:
    """Whether a lock keeps a second one out, tried in a folder of its own that is removed."""
    from filelock import FileLock, Timeout

    with tempfile.TemporaryDirectory(prefix=".doctor-", dir=folder) as own:
        name = Path(own) / "lock"
        with FileLock(name, is_singleton=False):
            try:
                with FileLock(name, timeout=0, is_singleton=False):
                    return False
            except Timeout:
                return True


def _contents(root: Path) -> str:
    """Entries by kind, and their size."""
    kinds = {path.name: len(_manifests(path)) for path in sorted(root.iterdir()) if path.is_dir()}
    told = ", ".join(f"{count} {kind}" for kind, count in kinds.items() if count)
    amount = files = 0
    for place, _, names in os.walk(root):
        files += len(names)
        if files > _MOST_FILES:
            return f"{told}; more than {_MOST_FILES} files, {byte_size(amount)} and more"
        amount += sum((Path(place) / name).lstat().st_size for name in names)
    return f"{told or 'nothing'}; {byte_size(amount)}"


def _manifests(kind: Path) -> list[Path]:
    """Of finished entries: drafts begin with a dot."""
    found = kind.glob(f"*/{cache.MANIFEST}")
    return sorted(path for path in found if not path.parent.name.startswith("."))


def _unfinished(root: Path) -> Iterator[Finding]:
    """Entries that are being made now, and those that nobody makes any more."""
    for lock in sorted(root.glob("*/*.lock")):
        if who := holder(lock):
            told = f"{lock.parent.name}/{lock.stem} is being made by {who}"
            yield Finding("note", "cache lock", told, "runs that need it wait for it")
    drafts = [path for path in sorted(root.glob("*/.draft-*")) if not holder(_lock(path))]
    if drafts:
        amount = sum(each.lstat().st_size for path in drafts for each in path.rglob("*"))
        told = f"{len(drafts)} left by runs that were killed, {byte_size(amount)}"
        yield Finding("ok", "cache drafts", told, f"rm -r {drafts[0]}{' …' * (len(drafts) > 1)}")


def _lock(draft: Path) -> Path:
    """The lock under which a draft is made."""
    return draft.with_name(f"{draft.name.removeprefix('.draft-')}.lock")


def _start_models(root: Path) -> Iterator[Finding]:
    """Start models that are trained already, by benchmark."""
    import json

    found = []
    for manifest in _manifests(root / "model"):
        key = json.loads(manifest.read_text(encoding="utf-8")).get("key", {})
        steps = f" ({key['steps']} steps)" if "steps" in key else ""
        found.append(f"{key.get('benchmark', 'unknown')}{steps}")
    told = ", ".join(found) or "none: the first run of a benchmark that has its own trains it"
    yield Finding("ok", "start models", told)


PROBES: tuple[Probe, ...] = (sweep_dir, cache_folder)
