"""Examine the machine: versions and devices, and what would make a run slow or fail.

from paretosteer.doctor import examine

for finding in examine("results/mine"):
    print(finding)
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from queue import Empty, SimpleQueue
from threading import Thread

from paretosteer.findings import Finding

__all__ = ["examine"]

Probe = Callable[[Path], Iterator[Finding]]  # given the folder that sweeps will write to

_PATIENCE = 20  # seconds; a folder on a server that is gone answers never


def examine(sweep_dir: str | os.PathLike[str]) -> Iterator[Finding]:
    """Yield every finding. A probe that raises, or never ends, is a finding itself."""
    from paretosteer.doctor import (
        folders,
        hardware,
        packages,
        plugin_imports,
        services,
        system_limits,
    )

    for module in (packages, plugin_imports, hardware, system_limits, folders, services):
        for probe in module.PROBES:
            yield from _findings(probe, Path(sweep_dir))


def _findings(probe: Probe, folder: Path) -> list[Finding]:
    from paretosteer.runtime.secrets import redact

    what = probe.__name__.replace("_", " ")
    answer: SimpleQueue[list[Finding]] = SimpleQueue()

    def ask() -> None:
        found: list[Finding] = []
        try:
            found.extend(probe(folder))
        except Exception as error:  # odd machines lack what others take for granted
            told = f"cannot be found out here ({type(error).__name__}: {error})"
            found.append(Finding("ok", what, " ".join(told.split())))
        answer.put(found)

    Thread(target=ask, daemon=True).start()
    try:
        found = answer.get(timeout=_PATIENCE)
    except Empty:
        remedy = "look at what it reads: a file system or driver hangs"
        return [Finding("fault", what, f"no answer in {_PATIENCE} s", remedy)]
    return [replace(each, found=redact(each.found)) for each in found]
