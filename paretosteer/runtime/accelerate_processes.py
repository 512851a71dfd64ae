"""Processes of one cell, where `accelerate launch` started several.

All of them train. The first owns the cell: it alone writes, samples and scores.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import TYPE_CHECKING, TypeVar

if TYPE_CHECKING:
    import torch
    from accelerate import Accelerator

T = TypeVar("T")


def is_first() -> bool:
    """True if this process is the first of its cell, or the only one."""
    return not are_several() or os.environ.get("RANK", "0") == "0"


def are_several() -> bool:
    """True if `accelerate launch` started more than one process."""
    return os.environ.get("WORLD_SIZE", "1") != "1"


def accelerator(device: torch.device) -> Accelerator:
    """Device and processes of this cell; joins the other processes if there are any."""
    if are_several():
        import torch._dynamo  # noqa: F401 (a later import would keep the group alive)
    from accelerate import Accelerator

    return Accelerator(cpu=device.type == "cpu")


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
