"""Peak memory of this process: the device's if CUDA is in use, otherwise the resident set's."""

from __future__ import annotations

import ctypes
import gc
from pathlib import Path

import torch


def begin_peak() -> float | None:
    """Reset the peak; MB in use now, None where the system does not report it."""
    if torch.cuda.is_available():
        torch.cuda.reset_peak_memory_stats()
        return torch.cuda.memory_allocated() / 2**20
    gc.collect()
    try:
        ctypes.CDLL(None).malloc_trim(0)  # memory that was freed would otherwise hide new use
        Path("/proc/self/clear_refs").write_text("5")
    except (OSError, AttributeError, TypeError):
        return None
    return peak()


def peak() -> float:
    """Most MB in use since `begin_peak`."""
    if torch.cuda.is_available():
        return torch.cuda.max_memory_allocated() / 2**20
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(x.split()[1]) / 1024 for x in lines if x.startswith("VmHWM"))
