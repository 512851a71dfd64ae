"""What a cell gives its benchmark: model, budget, device, precision."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import torch

from paretosteer.cells.config import Budget, CellConfig, Model
from paretosteer.errors import UsageError

SMALL = 20_000_000  # weights


@dataclass(frozen=True)
class Setting:
    """The part of a cell's configuration that a benchmark is built under."""

    model: Model
    budget: Budget
    device: torch.device
    dtype: torch.dtype
    threads: int | None  # of torch on the CPU; None: by the size of the model
    model_key: str  # digest of the start model
    say: Callable[[str], None]  # one line to the user

    @classmethod
    def of(cls, config: CellConfig, model_key: str, say: Callable[[str], None]) -> Setting:
        """The setting of a cell."""
        dtype = getattr(torch, config.dtype)
        device = _device(config.device)
        return cls(config.model, config.budget, device, dtype, config.threads, model_key, say)

    def set_threads(self, parameters: int) -> None:
        """Set torch's CPU threads for a model of so many weights.

        A small one spends its time between operations: more threads than one win nothing on idle
        cores, and wait for each other on busy ones.
        """
        if self.threads is not None or parameters < SMALL:
            torch.set_num_threads(self.threads or 1)


def _device(name: str) -> torch.device:
    if name == "auto":
        return torch.device("cuda" if torch.cuda.is_available() else "cpu")
    kind = name.partition(":")[0]
    visible: dict[str, Callable[[], bool]] = {
        "cuda": torch.cuda.is_available,
        "mps": torch.backends.mps.is_available,
    }
    if kind in visible and not visible[kind]():
        raise UsageError(
            f"device: {name!r} asked for, but no such device is visible; say device=cpu"
        )
    return torch.device(name)
