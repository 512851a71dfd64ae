"""Resolve device and precision of a cell, `auto` included; refuse a device that is absent."""

from __future__ import annotations

import os
from collections.abc import Callable

import torch

from paretosteer.errors import UsageError
from paretosteer.runtime.accelerate_processes import are_several


def resolve_device(name: str) -> torch.device:
    """Device of this name; `auto` is a GPU where there is one, else the CPU."""
    if name == "auto":
        return torch.device(_gpu() if torch.cuda.is_available() else "cpu")
    kind = name.partition(":")[0]
    visible: dict[str, Callable[[], bool]] = {
        "cuda": torch.cuda.is_available,
        "mps": torch.backends.mps.is_available,
    }
    if kind in visible and not visible[kind]():
        raise UsageError(f"device: found {name!r}, but no such device is visible; set device=cpu")
    return torch.device(_gpu() if name == "cuda" else name)


def device_kind(name: str) -> str:
    """Kind of the device of this name, such as `cuda`, whether or not it is present."""
    return resolve_device(name).type if name == "auto" else name.partition(":")[0]


def _gpu() -> str:
    """GPU of this process; each process has its own under `accelerate launch`."""
    return f"cuda:{os.environ['LOCAL_RANK']}" if are_several() else "cuda"


def resolve_dtype(name: str, device: str) -> str:
    """Precision of this name; `auto` is bfloat16 on a GPU that computes in it, else float32."""
    if name != "auto":
        return name
    if resolve_device(device).type != "cuda":
        return "float32"
    return "bfloat16" if torch.cuda.is_bf16_supported(including_emulation=False) else "float32"
