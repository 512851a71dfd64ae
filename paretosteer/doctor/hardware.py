"""Cores, threads, accelerators, memory."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

from paretosteer.doctor import Probe
from paretosteer.findings import Finding
from paretosteer.runtime.terminal import byte_size

_BUSY = 0.75  # load per usable core above which threads wait for each other
_LEAST_MEMORY = 1e9  # a smoke run takes half of it
_CGROUP = Path("/sys/fs/cgroup")


def cores(_: Path) -> Iterator[Finding]:
    """Cores of the machine, and how many of them this process may use."""
    told = f"{os.cpu_count()} in the machine, {_allowed()} for this process"
    quota = _quota()
    if quota is None:
        yield Finding("ok", "cores", told)
    else:
        yield Finding("ok", "cores", f"{told}, {quota:g} of their time by its control group")


def threads(_: Path) -> Iterator[Finding]:
    """Torch's threads against the cores that are free."""
    import torch

    count, usable = torch.get_num_threads(), usable_cores()
    load = os.getloadavg()[0]
    told = f"torch would take {count} on {usable:g} cores, load average {load:.1f}"
    if count > usable:
        remedy = f"threads={max(1, int(usable))}: more than there are cores wait for each other"
        yield Finding("note", "threads", told, remedy)
    elif load > _BUSY * usable:
        remedy = "others use the cores; wait, or threads=1 (small models take one anyway)"
        yield Finding("note", "threads", told, remedy)
    else:
        yield Finding("ok", "threads", f"{told}; small models take one")


def gpus(_: Path) -> Iterator[Finding]:
    """Accelerators that torch sees, their memory, and whether they compute in bfloat16."""
    import torch

    if not torch.cuda.is_available():
        yield from _without_cuda()
        return
    for index in range(torch.cuda.device_count()):
        free, total = torch.cuda.mem_get_info(index)
        bf16 = torch.cuda.get_device_capability(index) >= (8, 0) or torch.version.hip is not None
        told = (
            f"{torch.cuda.get_device_name(index)}, {byte_size(free)} of {byte_size(total)} free, "
            f"{'bfloat16' if bf16 else 'no bfloat16: computes in float32'}"
        )
        if free < total / 2:
            yield Finding("note", f"cuda:{index}", told, "others use it; choose device=cuda:N")
        else:
            yield Finding("ok", f"cuda:{index}", told)


def memory(_: Path) -> Iterator[Finding]:
    """Memory that is free, also under the control group's limit."""
    import psutil

    machine = psutil.virtual_memory()
    free, told = (
        machine.available,
        f"{byte_size(machine.available)} of {byte_size(machine.total)} free",
    )
    limit = _number(_CGROUP / "memory.max")
    if limit is not None and limit < machine.total:
        used = _number(_CGROUP / "memory.current") or 0
        free = min(free, int(limit - used))
        told += f", the control group allows {byte_size(limit)}"
    if free < _LEAST_MEMORY:
        yield Finding("fault", "memory", told, "free some, or budget.eval_rows=16")
    else:
        yield Finding("ok", "memory", told)


def usable_cores() -> float:
    """Cores that this process can keep busy."""
    quota = _quota()
    return min(_allowed(), quota) if quota else float(_allowed())


def _allowed() -> int:
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


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


def _without_cuda() -> Iterator[Finding]:
    import torch

    if torch.backends.mps.is_available():
        yield Finding("ok", "GPU", "Apple's, as device=mps")
    elif Path("/proc/driver/nvidia/version").exists() or Path("/dev/nvidia0").exists():
        built = torch.version.cuda or "the CPU only"
        remedy = "install the torch that fits the driver (https://pytorch.org)"
        yield Finding(
            "note", "GPU", f"there is one, but torch, built for {built}, has none", remedy
        )
    else:
        yield Finding("ok", "GPU", "none; the CPU serves models up to some 100 million weights")


PROBES: tuple[Probe, ...] = (cores, threads, gpus, memory)
