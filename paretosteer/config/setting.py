"""Setting of a benchmark: the start model, budget, device and precision of a cell."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import torch

from paretosteer.config.schema import NATIVE, Budget, CellConfig, Engine, Model
from paretosteer.runtime.batch_size import EvalRows
from paretosteer.runtime.devices import resolve_device

SMALL = 20_000_000  # parameters


@dataclass(frozen=True)
class Setting:
    """Part of a cell's configuration with which a benchmark is built."""

    model: Model
    budget: Budget
    device: torch.device
    dtype: torch.dtype
    threads: int | None  # torch's CPU threads; None: by the size of the model
    model_key: str  # digest of the start model
    say: Callable[[str], None]  # prints one line to the user
    eval_rows: EvalRows
    gradient_checkpointing: bool
    score_seconds: float | None = None  # time limit for scoring one sample
    engine: Engine = NATIVE  # writes the test answers

    @classmethod
    def of(cls, config: CellConfig, model_key: str, say: Callable[[str], None]) -> Setting:
        """Setting of a cell whose dtype has been resolved (not `auto`)."""
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
            config.engine,
        )

    def set_threads(self, parameters: int) -> None:
        """Set torch's CPU threads for a model with this number of parameters."""
        # A small model is bound by overhead between operations: further threads gain nothing on
        # idle cores, and only wait for each other on busy ones.
        if self.threads is not None or parameters < SMALL:
            torch.set_num_threads(self.threads or 1)
