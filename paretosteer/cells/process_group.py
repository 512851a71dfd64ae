"""One cell in several processes (`accelerate launch`): the first owns it, the others only train.

The first process alone reads the cell's folder, so it alone knows whether there is anything to
train. It announces that once, and the others wait for the announcement.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import TYPE_CHECKING

from paretosteer.errors import PLUGIN_ERRORS, DivergenceError, UnsupportedError, UsageError
from paretosteer.runtime.accelerate_processes import from_first

if TYPE_CHECKING:
    from accelerate import Accelerator

GRACE = 10.0  # seconds in which the first process can record an error that it may share


class ProcessGroup:
    """Processes of one cell, as a context manager that ends the group. One process is a group."""

    def __init__(self, accelerator: Accelerator):
        self.accelerator = accelerator
        self._announced = False

    def __enter__(self) -> ProcessGroup:
        return self

    def __exit__(self, *error: object) -> None:
        try:
            if self.is_first:
                self.announce(training=False)
        finally:
            if self.size > 1:
                # A process that exits inside the group may abort in a thread of gloo.
                self.accelerator.end_training()

    @property
    def size(self) -> int:
        return int(self.accelerator.num_processes)

    @property
    def is_first(self) -> bool:
        return bool(self.accelerator.is_main_process)

    def announce(self, training: bool) -> None:
        """Tell the other processes, once, whether there is anything to train."""
        if not self._announced:
            from_first(self.accelerator, training)
        self._announced = True

    def follow(self, train: Callable[[], object]) -> None:
        """Wait for the announcement, then take part in the training if there is any."""
        if not from_first(self.accelerator, False):
            return
        try:
            train()
        except (UnsupportedError, DivergenceError, UsageError):
            return  # raised in every process, and recorded by the first
        except PLUGIN_ERRORS:
            time.sleep(GRACE)
            raise
