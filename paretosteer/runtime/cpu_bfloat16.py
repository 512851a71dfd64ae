"""Native bfloat16 of the processor: its instructions, and its speed beside float32."""

from __future__ import annotations

import time
from pathlib import Path

import torch
from torch import Tensor

# Flags of /proc/cpuinfo, fastest first, with the names that manufacturers use.
_FLAGS = {"amx_bf16": "AMX", "avx512_bf16": "AVX512-BF16", "bf16": "Arm BF16"}
_CPUINFO = Path("/proc/cpuinfo")
_SIZE, _REPEATS = 1024, 5


def native_bfloat16() -> str | None:
    """Instructions with which the processor multiplies bfloat16; None if it states none."""
    try:
        text = _CPUINFO.read_text(errors="replace")
    except OSError:  # not Linux
        return None
    words = set(text.split())
    return next((name for flag, name in _FLAGS.items() if flag in words), None)


def bfloat16_speedup() -> float:
    """Time of float32 matrix products over that of bfloat16 ones, measured in under a second."""
    one, other = torch.ones(_SIZE, _SIZE), torch.ones(_SIZE, _SIZE)
    return _seconds(one, other) / _seconds(one.bfloat16(), other.bfloat16())


def _seconds(one: Tensor, other: Tensor) -> float:
    """Shortest time of a matrix product; other programs only lengthen it."""
    times = []
    for _ in range(_REPEATS):
        began = time.perf_counter()
        _ = one @ other
        times.append(time.perf_counter() - began)
    return min(times)
