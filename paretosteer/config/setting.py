"""What a cell gives its benchmark: model, budget, device, precision."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import torch

from paretosteer.config.schema import Budget, CellConfig, Model
from paretosteer.runtime.batch_size import EvalRows
from paretosteer.runtime.devices import resolve_device

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
    eval_rows: EvalRows
    gradient_checkpointing: bool
    score_seconds: float | None = None  # that scoring one sample may take

    @classmethod
    def of(cls, config: CellConfig, model_key: str, say: Callable[[str], None]) -> Setting:
        """The setting of a cell whose plan has resolved its precision."""
        dtype = getattr(torch, config.dtype)
        device = resolve_device(config.device)
        return cls(
            config.model,
            config.budget,
            device,
            dtype,
            config.threads,
            model_key,
            say,
            EvalRows(config.budget.eval_rows, device, say),
            config.gradient_checkpointing,
            config.score_seconds,
        )

    def set_threads(self, parameters: int) -> None:
        """Set torch's CPU threads for a model of so many weights.

        A small one spends its time between operations: more threads than one win nothing on idle
        cores, and wait for each other on busy ones.
        """
        if self.threads is not None or parameters < SMALL:
            torch.set_num_threads(self.threads or 1)
