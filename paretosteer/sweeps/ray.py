"""Give jobs on Ray workers the environment and the folder of the command that started the sweep.

The workers of a running cluster have a folder and an environment of their own.
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
        """Add overrides: every job is composed again, in this process, from those of the sweep."""
        # Otherwise Ray drops lines of cells that differ only in the seed.
        os.environ.setdefault("RAY_DEDUP_LOGS", "0")
        names = {name for name in os.environ if name.startswith(CARRIED)}
        names |= set(config.hydra.job.env_copy)
        folder = str(Path(config.hydra.sweep.dir).absolute()).replace("'", "\\'")
        with read_write(config):
            config.hydra.overrides.hydra += [
                f"hydra.job.env_copy=[{','.join(sorted(names))}]",
                f"hydra.sweep.dir='{folder}'",
            ]
