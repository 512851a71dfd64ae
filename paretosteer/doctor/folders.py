"""Folders that runs write to: the sweep's folder and the cache."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

from paretosteer.doctor import Probe
from paretosteer.findings import Finding
from paretosteer.runtime.terminal import byte_size
from paretosteer.storage import cache
from paretosteer.storage.atomic import in_the_way, nearest

_LEAST_DISK = 1e9  # bytes
_NETWORKS = {"nfs", "nfs4", "cifs", "smb3", "smbfs", "lustre", "gpfs", "beegfs", "afs", "ceph"}
_NETWORKS |= {"9p", "glusterfs", "fuse.sshfs", "fuse.glusterfs", "fuse.s3fs", "fuse.gcsfuse"}


def sweep_dir(folder: Path) -> Iterator[Finding]:
    """Folder that sweeps will write to."""
    yield from _place("sweep_dir", folder, "choose another sweep_dir")


def cache_folder(_: Path) -> Iterator[Finding]:
    """Folder of work that cells share."""
    yield from _place("cache", cache.root(), "set PARETOSTEER_CACHE to a folder that is yours")


def _place(name: str, folder: Path, remedy: str) -> Iterator[Finding]:
    """Check that a folder exists or can be made, has space, and can be written and locked."""
    existing = nearest(folder)
    if obstacle := in_the_way(existing):
        yield Finding("fault", name, f"{existing} is {obstacle}", remedy)
        return
    exists = "exists" if existing == folder.absolute() else "does not exist yet"
    yield Finding("ok", name, f"{folder} ({exists})")
    yield _disk(f"{name} disk", existing, remedy)
    yield _lock(f"{name} locks", existing, remedy)


def _disk(name: str, folder: Path, remedy: str) -> Finding:
    free, kind = shutil.disk_usage(folder).free, _file_system(folder)
    found = f"{byte_size(free)} free on {kind or 'an unknown file system'}"
    if free < _LEAST_DISK:
        return Finding("fault", name, found, f"free some, or {remedy}")
    if kind in _NETWORKS:
        slow = "small files are slow on a network, and locks may not hold between machines"
        return Finding("note", name, found, f"{slow}; {remedy}")
    return Finding("ok", name, found)


def _file_system(folder: Path) -> str:
    import psutil

    mounts = {part.mountpoint: part.fstype for part in psutil.disk_partitions(all=True)}
    place = folder.resolve()
    return next((mounts[str(p)] for p in [place, *place.parents] if str(p) in mounts), "")


def _lock(name: str, folder: Path, remedy: str) -> Finding:
    """Check in a temporary folder that a lock excludes a second owner."""
    from filelock import FileLock, Timeout

    try:
        with tempfile.TemporaryDirectory(prefix=".doctor-", dir=folder) as own:
            path = Path(own) / "lock"
            with FileLock(path, is_singleton=False):
                try:
                    with FileLock(path, timeout=0, is_singleton=False):
                        return Finding("fault", name, "file locks have no effect", remedy)
                except Timeout:
                    return Finding("ok", name, "files can be written and locked")
    except OSError as error:
        return Finding("fault", name, f"cannot be written ({error.strerror or error})", remedy)


PROBES: tuple[Probe, ...] = (sweep_dir, cache_folder)
