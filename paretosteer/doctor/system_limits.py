"""Limits of the system that stop a run half-way."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

from paretosteer.doctor import Probe
from paretosteer.findings import Finding
from paretosteer.runtime.terminal import byte_size

_SHARED = Path("/dev/shm")
_LEAST_SHARED = 1e9  # processes of joblib and torch pass arrays through it
_LEAST_FILES = 256


def open_files(_: Path) -> Iterator[Finding]:
    """How many files a process may have open."""
    import resource

    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    told = f"{_count(soft)} (at most {_count(hard)})"
    if soft != resource.RLIM_INFINITY and soft < _LEAST_FILES:
        remedy = "ulimit -n 4096: several cells at once open more"
        yield Finding("fault", "open files", told, remedy)
    else:
        yield Finding("ok", "open files", told)


def shared_memory(_: Path) -> Iterator[Finding]:
    """What processes can pass each other."""
    place = os.statvfs(_SHARED)
    free, total = place.f_bavail * place.f_frsize, place.f_blocks * place.f_frsize
    told = f"{byte_size(free)} of {byte_size(total)} free in {_SHARED}"
    if free < _LEAST_SHARED:
        remedy = "a larger one (docker run --shm-size=4g), or one process: launcher=basic"
        yield Finding("note", "shared memory", told, remedy)
    else:
        yield Finding("ok", "shared memory", told)


def _count(limit: int) -> str:
    return "any number" if limit < 0 else str(limit)


PROBES: tuple[Probe, ...] = (open_files, shared_memory)
