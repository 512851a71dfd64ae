"""What a method must leave alone, seen from outside: global state, and steps nobody booked."""

from __future__ import annotations

import os
import random
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch.optim.optimizer import register_optimizer_step_post_hook


def global_state() -> dict[str, Any]:
    """What all code of a process shares and nobody may change for the others."""
    name, keys, *place = np.random.get_state()
    state: dict[str, Any] = {
        "Python's random generator": random.getstate(),
        "NumPy's global generator": (name, np.asarray(keys).tobytes(), *place),
        "torch's global generator": torch.random.get_rng_state().numpy().tobytes(),
        "torch's number of threads": torch.get_num_threads(),
        "torch's default dtype": torch.get_default_dtype(),
        "torch's gradient mode": torch.is_grad_enabled(),
        "torch's deterministic algorithms": torch.are_deterministic_algorithms_enabled(),
        "the working folder": os.getcwd(),  # noqa: PTH109 (compared, not used as a path)
    }
    if torch.cuda.is_initialized():  # type: ignore[no-untyped-call]
        generators = torch.cuda.get_rng_state_all()
        state["the GPUs' generators"] = [x.numpy().tobytes() for x in generators]
    return state


def changed(before: Mapping[str, Any]) -> list[str]:
    """Names of what is not as it was."""
    return [name for name, value in global_state().items() if before.get(name, value) != value]


@dataclass
class Steps:
    """Steps that optimisers took while somebody counted."""

    count: int = 0


@contextmanager
def optimiser_steps() -> Iterator[Steps]:
    """Count the steps of every torch optimiser in the process."""
    steps = Steps()

    def step(*_: object) -> None:
        steps.count += 1

    handle = register_optimizer_step_post_hook(step)
    try:
        yield steps
    finally:
        handle.remove()
