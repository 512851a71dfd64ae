"""Peak memory of one cell, though a sweep runs many cells in one process."""

from __future__ import annotations

import resource
import sys
from pathlib import Path

import torch

_CLEAR, _STATUS = Path("/proc/self/clear_refs"), Path("/proc/self/status")


def start_watching() -> None:
    """Forget the peak so far; where the system cannot, the peak is the process's."""
    if torch.cuda.is_available():
        torch.cuda.reset_peak_memory_stats()
    try:
        _CLEAR.write_text("5")  # resets VmHWM (proc(5))
    except OSError:
        return


def peak() -> int:
    """Bytes: of the GPU where there is one, else the largest resident size since the start."""
    if torch.cuda.is_available():
        return int(torch.cuda.max_memory_allocated())
    try:
        (line,) = [x for x in _STATUS.read_text().splitlines() if x.startswith("VmHWM")]
        return int(line.split()[1]) * 1024
    except (OSError, ValueError):
        unit = 1 if sys.platform == "darwin" else 1024
        return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit
