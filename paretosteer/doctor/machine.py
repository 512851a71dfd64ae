"""Threads, accelerators, memory, and system limits."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

from paretosteer.doctor import Probe
from paretosteer.findings import Finding
from paretosteer.runtime.terminal import byte_size

_BUSY = 0.75  # load per usable core above which threads wait for each other
_LEAST_MEMORY = 1e9  # bytes; a smoke run takes half of it
_LEAST_SHARED = 1e9  # bytes; processes of joblib and torch pass arrays through it
_LEAST_FILES = 256
_CGROUP, _SHARED = Path("/sys/fs/cgroup"), Path("/dev/shm")


def threads(_: Path) -> Iterator[Finding]:
    """Torch's threads against the cores that are free."""
    import torch

    count, usable, load = torch.get_num_threads(), usable_cores(), os.getloadavg()[0]
    found = f"torch would take {count} on {usable:g} cores, load average {load:.1f}"
    if count > usable:
        remedy = f"set threads={max(1, int(usable))}: more threads than cores slow each other down"
        yield Finding("note", "threads", found, remedy)
    elif load > _BUSY * usable:
        remedy = "other programs use the CPU; wait, or set threads=1 (enough for small models)"
        yield Finding("note", "threads", found, remedy)
    else:
        yield Finding("ok", "threads", f"{found}; one is enough for small models")


def gpus(_: Path) -> Iterator[Finding]:
    """Accelerators that torch sees, their memory, and whether they support bfloat16."""
    import torch

    if not torch.cuda.is_available():
        yield _without_cuda()
        return
    for index in range(torch.cuda.device_count()):
        free, total = torch.cuda.mem_get_info(index)
        bf16 = torch.cuda.get_device_capability(index) >= (8, 0) or torch.version.hip is not None
        found = (
            f"{torch.cuda.get_device_name(index)}, {byte_size(free)} of {byte_size(total)} free, "
            f"{'bfloat16' if bf16 else 'no bfloat16: computes in float32'}"
        )
        if free < total / 2:
            yield Finding("note", f"cuda:{index}", found, "others use it; set device=cuda:N")
        else:
            yield Finding("ok", f"cuda:{index}", found)


def bfloat16(_: Path) -> Iterator[Finding]:
    """Speed of bfloat16 on a processor that computes it natively."""
    from paretosteer.runtime.cpu_bfloat16 import bfloat16_speedup, native_bfloat16

    name = native_bfloat16()
    if name is None:
        yield Finding("ok", "bfloat16", "not native on this processor; computed in float32")
        return
    found = f"native ({name}), {bfloat16_speedup():.1f} times as fast as float32 in a short test"
    yield Finding("ok", "bfloat16", f"{found}; set dtype=bfloat16 for a large model")


def memory(_: Path) -> Iterator[Finding]:
    """Free memory, also under the control group's limit."""
    import psutil

    machine = psutil.virtual_memory()
    free = machine.available
    found = f"{byte_size(free)} of {byte_size(machine.total)} free"
    limit = _number(_CGROUP / "memory.max")
    if limit is not None and limit < machine.total:
        free = min(free, int(limit - (_number(_CGROUP / "memory.current") or 0)))
        found += f", the control group allows {byte_size(limit)}"
    if free < _LEAST_MEMORY:
        yield Finding("fault", "memory", found, "free some, or set budget.eval_rows=16")
    else:
        yield Finding("ok", "memory", found)


def limits(_: Path) -> Iterator[Finding]:
    """System limits that are too low for several cells at once."""
    import resource

    files = resource.getrlimit(resource.RLIMIT_NOFILE)[0]
    if files != resource.RLIM_INFINITY and files < _LEAST_FILES:
        remedy = "ulimit -n 4096: several cells at once open more"
        yield Finding("fault", "open files", f"at most {files}", remedy)
    shared = os.statvfs(_SHARED)
    free = shared.f_bavail * shared.f_frsize
    if free < _LEAST_SHARED:
        remedy = "enlarge it (docker run --shm-size=4g), or use one process: launcher=basic"
        yield Finding("note", "shared memory", f"{byte_size(free)} free in {_SHARED}", remedy)


def usable_cores() -> float:
    """Cores that this process can keep busy."""
    if hasattr(os, "sched_getaffinity"):
        allowed = len(os.sched_getaffinity(0))
    else:
        allowed = os.cpu_count() or 1
    return min(allowed, _quota() or allowed)


def _quota() -> float | None:
    """Cores by the control group's quota, of either version; None where there is none."""
    try:
        quota, period = (_CGROUP / "cpu.max").read_text().split()
    except (OSError, ValueError):
        folder = _CGROUP / "cpu"
        limit, span = _number(folder / "cpu.cfs_quota_us"), _number(folder / "cpu.cfs_period_us")
        return limit / span if limit and span and limit > 0 else None
    return None if quota == "max" else int(quota) / int(period)


def _number(path: Path) -> float | None:
    try:
        return float(path.read_text())
    except (OSError, ValueError):  # `max`, or no such file
        return None


def _without_cuda() -> Finding:
    import torch

    if torch.backends.mps.is_available():
        return Finding("ok", "GPU", "Apple's, as device=mps")
    if Path("/proc/driver/nvidia/version").exists() or Path("/dev/nvidia0").exists():
        found = f"there is one, but torch, built for {torch.version.cuda or 'the CPU'}, has none"
        remedy = "install the torch that fits the driver (https://pytorch.org)"
        return Finding("note", "GPU", found, remedy)
    return Finding(
        "ok", "GPU", "none; the CPU is enough for models of up to about 100 million weights"
    )


PROBES: tuple[Probe, ...] = (threads, gpus, bfloat16, memory, limits)
