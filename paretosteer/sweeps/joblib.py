"""Start the workers of joblib anew for each sweep.

Loky keeps workers for later calls in the same process, such as a notebook's next sweep. They would
still have the environment, and the plug-ins, of the first.
"""

from __future__ import annotations

from typing import Any

from hydra.experimental.callback import Callback
from joblib.externals.loky import get_reusable_executor
from omegaconf import DictConfig


class FreshWorkers(Callback):  # type: ignore[misc]
    """Hydra callback: before a sweep, stop the workers of an earlier one."""

    def on_multirun_start(self, config: DictConfig, **kwargs: Any) -> None:
        """Stop idle workers; the launcher starts others, which inherit what this process has."""
        get_reusable_executor().shutdown(wait=True)
