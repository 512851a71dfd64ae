"""What a cell gives its benchmark: model, budget, device, precision."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import torch

from paretosteer.cells.config import Budget, CellConfig, Model
from paretosteer.errors import UsageError


@dataclass(frozen=True)
class Setting:
    """The part of a cell's configuration that a benchmark is built under."""

    model: Model
    budget: Budget
    device: torch.device
    dtype: torch.dtype
    model_key: str  # digest of the start model
    say: Callable[[str], None]  # one line to the user

    @classmethod
    def of(cls, config: CellConfig, model_key: str, say: Callable[[str], None]) -> Setting:
        """The setting of a cell."""
        dtype = getattr(torch, config.dtype)
        return cls(config.model, config.budget, _device(config.device), dtype, model_key, say)


def _device(name: str) -> torch.device:
    if name == "auto":
        return torch.device("cuda" if torch.cuda.is_available() else "cpu")
    if name.startswith("cuda") and not torch.cuda.is_available():
        raise UsageError(f"device: {name!r} asked for, but no GPU is visible; say device=cpu")
    return torch.device(name)
