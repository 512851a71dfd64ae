"""Examine the machine: versions, devices, folders, and what would make a run slow or fail.

from paretosteer.doctor import examine

for finding in examine("results/mine"):
    print(finding)
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

from paretosteer.findings import Finding

__all__ = ["examine"]

Probe = Callable[[Path], Iterator[Finding]]  # given the folder that sweeps will write to


def examine(sweep_dir: str | os.PathLike[str]) -> Iterator[Finding]:
    """Yield every finding. A probe that raises is a finding itself."""
    from paretosteer.doctor import folders, machine, packages, services
    from paretosteer.runtime.secrets import redact

    for module in (packages, machine, folders, services):
        for probe in module.PROBES:
            for finding in _findings(probe, Path(sweep_dir)):
                yield replace(finding, found=redact(finding.found))


def _findings(probe: Probe, folder: Path) -> Iterator[Finding]:
    try:
        yield from probe(folder)
    except Exception as error:  # probes rely on files that some machines lack
        reason = " ".join(f"{type(error).__name__}: {error}".split())
        yield Finding("ok", probe.__name__.replace("_", " "), f"cannot be examined ({reason})")
