"""Snapshots that let a killed training run go on: one of every phase, on disk.

A run that is taken up again goes through its method's `train` once more. Phases that have finished
hand back their outcome instead of training, the one in progress continues where its snapshot is,
and what a method computes between them is computed again.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from paretosteer.cells.sealed import Sealed

if TYPE_CHECKING:
    from torch import Tensor

    from paretosteer.phase import Phase

Snapshot = tuple["dict[str, Tensor]", dict[str, Any]]


class Journal:
    """The snapshots of one training run.

    Parameters
    ----------
    folder
        Where they are kept; None keeps none.
    every
        Seconds of training between two snapshots of a phase.
    owner
        Whether this process keeps the folder; others never look into it.
    say
        Takes one line to the user.

    """

    def __init__(
        self,
        folder: Path | None = None,
        every: float = 60.0,
        owner: bool = True,
        say: Callable[[str], None] = lambda line: None,
    ):
        self._files = None if folder is None else Sealed(folder, ".safetensors", say)
        self._every, self._owner = every, owner
        self._phase = -1  # the phase that trains now, in the order of the calls of `fit`
        self._kept = time.monotonic()

    def open(self, phase: Phase) -> Path | None:
        """Where an earlier run left this phase, the next one; None where it never came here."""
        self._phase += 1
        self._kept = time.monotonic()
        if self._files is None or not self._owner:
            return None
        path = self._files.find(self._name())
        if path and _belongs(path, phase):
            return path
        if not phase.finished:  # what came after is to be trained again as well
            self._files.remove(lambda name: name >= self._name())
        return None

    def due(self, phase: Phase) -> bool:
        """Whether it is time for a snapshot: at the end of a phase, and now and then before."""
        if self._files is None:
            return False
        return phase.finished or time.monotonic() - self._kept >= self._every

    def write(self, tensors: dict[str, Tensor], state: dict[str, Any]) -> None:
        """Keep a snapshot of the phase instead of its older one."""
        from safetensors.torch import save

        assert self._files is not None  # else none was due
        whole = {name: tensor.contiguous() for name, tensor in tensors.items()}
        self._files.write(self._name(), save(whole, metadata={"state": json.dumps(state)}))
        self._kept = time.monotonic()

    def _name(self) -> str:
        return f"{self._phase:04d}"


def read_snapshot(path: Path) -> Snapshot:
    """The tensors of a snapshot, and the rest."""
    from safetensors import safe_open

    with safe_open(path, framework="pt") as stream:
        tensors = {key: stream.get_tensor(key) for key in stream.keys()}  # noqa: SIM118
        return tensors, json.loads(stream.metadata()["state"])


def _belongs(path: Path, phase: Phase) -> bool:
    from safetensors import safe_open

    with safe_open(path, framework="pt") as stream:
        state = json.loads(stream.metadata()["state"])
    return bool(state["phase"] == phase.name and state["steps"] == phase.steps)
