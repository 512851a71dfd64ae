"""What a job on a Ray worker needs of the command that started the sweep.

A cluster that was there before has a folder and an environment of its own.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

from hydra.experimental.callback import Callback
from omegaconf import DictConfig, read_write

CARRIED = ("PARETOSTEER_", "WANDB_")


class CarryEnvironment(Callback):  # type: ignore[misc]
    """Hydra callback: before a sweep, give its jobs our variables and an absolute folder."""

    def on_multirun_start(self, config: DictConfig, **kwargs: Any) -> None:
        """Add overrides: every job is composed again, here, from those of the sweep."""
        os.environ.setdefault("RAY_DEDUP_LOGS", "0")  # lines of cells that differ by the seed only
        names = {name for name in os.environ if name.startswith(CARRIED)}
        names |= set(config.hydra.job.env_copy)
        folder = str(Path(config.hydra.sweep.dir).absolute()).replace("'", "\\'")
        with read_write(config):
            config.hydra.overrides.hydra += [
                f"hydra.job.env_copy=[{','.join(sorted(names))}]",
                f"hydra.sweep.dir='{folder}'",
            ]
