"""Processes of one cell, where `accelerate launch` started several.

All of them train. The first owns the cell: it alone writes, samples and scores.
"""

from __future__ import annotations

import logging
import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from functools import cache
from typing import TYPE_CHECKING, TypeVar

from paretosteer.errors import UsageError

if TYPE_CHECKING:
    import torch
    from accelerate import Accelerator

log = logging.getLogger(__name__)
T = TypeVar("T")

PREFIX = "ACCELERATE_"
# What `accelerate launch` sets where nothing was chosen, of the variables that change training.
DEFAULTS = {
    "MIXED_PRECISION": "no",
    "GRADIENT_ACCUMULATION_STEPS": "1",
    "DYNAMO_BACKEND": "no",
    "USE_FSDP": "false",
    "USE_DEEPSPEED": "false",
    "USE_MEGATRON_LM": "false",
    "USE_PARALLELISM_CONFIG": "false",
    "TORCH_DEVICE": "",
}
RANKS = ("WORLD_SIZE", "RANK", "LOCAL_RANK")  # of a launcher; a shell may have kept them


def is_first() -> bool:
    """True if this process is the first of its cell, or the only one."""
    return not are_several() or os.environ.get("RANK", "0") == "0"


def are_several() -> bool:
    """True if `accelerate launch` started more than one process."""
    return os.environ.get("WORLD_SIZE") not in (None, "", "1")


def accelerator(device: torch.device) -> Accelerator:
    """Device and processes of this cell; joins the other processes if there are any.

    `accelerate` only starts processes. What else its environment asks for, such as mixed precision
    or FSDP, is not used: a cell runs as it was configured.

    Raises
    ------
    UsageError
        If the environment names other processes, but not how to reach them.

    """
    check_reachable()
    if are_several():
        import torch._dynamo  # noqa: F401 (a later import would keep the group alive)
    from accelerate import Accelerator

    with _processes_only():
        return Accelerator(cpu=device.type == "cpu", mixed_precision="no")


def check_reachable() -> None:
    """Raise UsageError if the environment names other processes, but not how to reach them."""
    for name in (*RANKS, "MASTER_ADDR", "MASTER_PORT"):
        if are_several() and not os.environ.get(name):
            raise UsageError(
                f"WORLD_SIZE: found {os.environ['WORLD_SIZE']!r}, but {name} is not set; start "
                "several processes with accelerate launch, or unset WORLD_SIZE"
            )


@contextmanager
def _processes_only() -> Iterator[None]:
    """Hide accelerate's settings of training, and the ranks of a process that is alone."""
    _say_unused()
    hidden = [name for name in os.environ if name.startswith(PREFIX)]
    hidden += [] if are_several() else [name for name in RANKS if name in os.environ]
    before = {name: os.environ.pop(name) for name in hidden}
    try:
        yield
    finally:
        os.environ.update(before)


@cache
def _say_unused() -> None:
    """Say once which settings of accelerate are not used."""
    unused = [
        f"{PREFIX}{name}={value}"
        for name, default in DEFAULTS.items()
        if (value := os.environ.get(PREFIX + name, default)).lower() != default
    ]
    if unused:
        log.warning(
            "not used: %s; dtype sets the precision, and device sets the device", ", ".join(unused)
        )


def from_first(accelerator: Accelerator, value: T) -> T:
    """First process's value, in every process."""
    if accelerator.num_processes == 1:
        return value
    from accelerate.utils import broadcast_object_list

    box = [value]
    broadcast_object_list(box, from_process=0)
    return box[0]


def gathered(accelerator: Accelerator, value: T) -> list[T]:
    """Every process's value, in their order, in every process."""
    if accelerator.num_processes == 1:
        return [value]
    from accelerate.utils import gather_object

    found: list[T] = gather_object([value])
    return found


def averaged(accelerator: Accelerator, figures: Mapping[str, float]) -> dict[str, float]:
    """Mean of every figure over the processes, in every process."""
    everyone = gathered(accelerator, dict(figures))
    return {name: sum(each[name] for each in everyone) / len(everyone) for name in figures}
