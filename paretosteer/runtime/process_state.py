"""State that all code of a process shares: the same in every cell, and the caller's afterwards."""

from __future__ import annotations

import os
import random
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch

CPU = torch.device("cpu")


@dataclass(frozen=True)
class Part:
    """A part of the state.

    `known` is its value within a cell; None leaves it as the caller has it.
    """

    get: Callable[[], Any]
    put: Callable[[Any], object]
    known: Any = None


@contextmanager
def known_state() -> Iterator[None]:
    """Known state within the block; after it, the state from before.

    What a plug-in or a notebook sets, such as a default dtype or autocast, would otherwise change
    the figures of every later cell.
    """
    before = process_state()
    known = {name: part.known for name, part in PARTS.items()}
    try:
        with torch.inference_mode(mode=False):  # turns gradients on
            _put(known)
            # Not a part with a known value: a device may stand in a `with` around this one.
            with CPU if torch.get_default_device() != CPU else nullcontext():
                yield
    finally:
        _put(before)


def seed_generators(seed: int) -> None:
    """Seed the generators that all code shares; ours are separate ones."""
    random.seed(seed)
    np.random.seed(seed % 2**32)
    torch.manual_seed(seed)


def process_state() -> dict[str, Any]:
    """Value of every part by name."""
    return {name: _value(part) for name, part in PARTS.items()}


def changes_since(before: Mapping[str, Any]) -> list[str]:
    """Names of the parts that differ from `before`."""
    return [name for name, value in process_state().items() if before[name] not in (None, value)]


def _put(state: Mapping[str, Any]) -> None:
    for name, value in state.items():
        if value is not None and _value(PARTS[name]) != value:
            PARTS[name].put(value)


def _value(part: Part) -> Any:
    """Value of a part; None where it has none."""
    try:
        return part.get()
    except (RuntimeError, OSError):  # precisions that differ between backends, a removed folder
        return None


def _attribute(owner: Any, name: str, known: Any) -> Part:
    return Part(lambda: getattr(owner, name), lambda value: setattr(owner, name, value), known)


def _numpy_generator() -> tuple[Any, ...]:
    name, keys, *rest = np.random.get_state()
    return name, np.asarray(keys).tobytes(), *rest


def _set_numpy_generator(state: tuple[Any, ...]) -> None:
    name, keys, *rest = state
    np.random.set_state((name, np.frombuffer(keys, np.uint32), *rest))


def _gpu_generators() -> list[bytes] | None:
    if not torch.cuda.is_initialized():  # type: ignore[no-untyped-call]
        return None
    return [each.numpy().tobytes() for each in torch.cuda.get_rng_state_all()]


def _generator(state: bytes) -> torch.Tensor:
    return torch.frombuffer(bytearray(state), dtype=torch.uint8)


def _flushes_denormals() -> bool:
    tiny = torch.tensor(1e-39, dtype=torch.float32, device=CPU)
    return (tiny * 1).item() == 0


def _determinism() -> tuple[bool, bool]:
    return (
        torch.are_deterministic_algorithms_enabled(),
        torch.is_deterministic_algorithms_warn_only_enabled(),
    )


def _autocast(device: str) -> dict[str, Part]:
    return {
        f"torch's autocast on {device}": Part(
            lambda: torch.is_autocast_enabled(device),
            lambda value: torch.set_autocast_enabled(device, value),
            known=False,
        ),
        f"torch's dtype of autocast on {device}": Part(
            lambda: torch.get_autocast_dtype(device),
            lambda value: torch.set_autocast_dtype(device, value),
        ),
    }


def _attention(kernel: str) -> dict[str, Part]:
    cuda = torch.backends.cuda
    enabled, enable = getattr(cuda, f"{kernel}_sdp_enabled"), getattr(cuda, f"enable_{kernel}_sdp")
    return {f"torch's {kernel} attention": Part(enabled, enable, known=True)}


_BACKENDS = torch.backends
PARTS: dict[str, Part] = {
    "Python's random generator": Part(random.getstate, random.setstate),
    "NumPy's global generator": Part(_numpy_generator, _set_numpy_generator),
    "torch's global generator": Part(
        lambda: torch.random.get_rng_state().numpy().tobytes(),
        lambda state: torch.random.set_rng_state(_generator(state)),
    ),
    "the GPUs' generators": Part(
        _gpu_generators, lambda states: torch.cuda.set_rng_state_all(list(map(_generator, states)))
    ),
    "the working folder": Part(os.getcwd, os.chdir),
    "NumPy's handling of errors": Part(
        np.geterr,
        lambda value: np.seterr(**value),
        {"divide": "warn", "over": "warn", "under": "ignore", "invalid": "warn"},
    ),
    "torch's number of threads": Part(torch.get_num_threads, torch.set_num_threads),
    "torch's gradient mode": Part(torch.is_grad_enabled, torch.set_grad_enabled, known=True),
    "torch's default dtype": Part(torch.get_default_dtype, torch.set_default_dtype, torch.float32),
    "torch's default device": Part(
        torch.get_default_device,
        # The CPU as a default device makes every call slower than none.
        lambda device: torch.set_default_device(None if device == CPU else device),
    ),
    "torch's deterministic algorithms": Part(
        _determinism,
        lambda value: torch.use_deterministic_algorithms(value[0], warn_only=value[1]),
        (False, False),
    ),
    "torch's flushing of denormals": Part(_flushes_denormals, torch.set_flush_denormal, False),
    **_autocast("cpu"),
    **_autocast("cuda"),
    # torch 2.9 has a precision for everything, which the others have precedence over.
    **(
        {"torch's float32 precision": _attribute(_BACKENDS, "fp32_precision", "none")}
        if hasattr(_BACKENDS, "fp32_precision")
        else {}
    ),
    "torch's float32 precision of matrix products": Part(
        torch.get_float32_matmul_precision, torch.set_float32_matmul_precision, "highest"
    ),
    "cuDNN's TF32": _attribute(_BACKENDS.cudnn, "allow_tf32", known=True),
    "cuDNN's use": _attribute(_BACKENDS.cudnn, "enabled", known=True),
    "cuDNN's choice by speed": _attribute(_BACKENDS.cudnn, "benchmark", known=False),
    "cuDNN's deterministic algorithms": _attribute(_BACKENDS.cudnn, "deterministic", known=False),
    "oneDNN's use": _attribute(_BACKENDS.mkldnn, "enabled", known=True),
    **_attention("flash"),
    **_attention("mem_efficient"),
    **_attention("math"),
    **_attention("cudnn"),
}
