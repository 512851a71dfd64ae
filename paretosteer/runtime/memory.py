"""Peak memory of one cell, and release of memory between the cells of a process."""

from __future__ import annotations

import gc
import resource
import sys
from pathlib import Path

import torch

_CLEAR, _STATUS = Path("/proc/self/clear_refs"), Path("/proc/self/status")


def reset_peak() -> None:
    """Reset the peak; if the system cannot, it stays that of the whole process."""
    if torch.cuda.is_available():
        torch.cuda.reset_peak_memory_stats()
    try:
        _CLEAR.write_text("5")  # resets VmHWM (proc(5))
    except OSError:
        return


def peak() -> int:
    """Peak in bytes: of the GPU where there is one, else of the resident size."""
    if torch.cuda.is_available():
        return int(torch.cuda.max_memory_allocated())
    try:
        (line,) = [x for x in _STATUS.read_text().splitlines() if x.startswith("VmHWM")]
        return int(line.split()[1]) * 1024
    except (OSError, ValueError):
        unit = 1 if sys.platform == "darwin" else 1024
        return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit


def free_memory() -> None:
    """Release unreferenced memory, on the GPU too."""
    gc.collect()  # models hold reference cycles
    if torch.cuda.is_available():
        torch.cuda.empty_cache()
