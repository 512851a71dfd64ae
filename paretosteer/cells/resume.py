"""Resume a killed cell from the pieces that its unfinished stages left.

This decides which pieces count. Training then continues from its last snapshot
(`paretosteer.training.snapshots`); sampling and scoring skip the blocks that are already there.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

from paretosteer.cells.maker import Maker
from paretosteer.cells.plan import CellPlan
from paretosteer.cells.state import STAGES
from paretosteer.storage.atomic import remove, remove_drafts
from paretosteer.storage.digest import digest
from paretosteer.training.snapshots import steps_in


class PartialStages:
    """One folder of pieces per unfinished stage, inside the cell's folder.

    Their names cover code, libraries and kind of device. Only a run with the same ones resumes from
    the pieces, so an interrupted cell ends with the same results as an undisturbed one.
    """

    def __init__(self, plan: CellPlan, device: str, processes: int = 1):
        self._cell = plan.folder
        around = [Maker.of(plan, device).facts, processes]
        self._keys = {stage: digest([plan.digests[stage], *around])[:10] for stage in STAGES}

    def folder(self, stage: str) -> Path:
        """Path of the folder of a stage."""
        return self._cell / f".{stage}-{self._keys[stage]}"

    def trained_steps(self) -> int:
        """Optimiser steps after which training resumes; 0 without a snapshot."""
        return steps_in(self.folder("train"))

    def tidy(self, say: Callable[[str], None]) -> None:
        """Remove drafts, and pieces from which this run cannot resume."""
        remove_drafts(self._cell)
        current = {self.folder(stage) for stage in STAGES}
        for stage in STAGES:
            for path in self._cell.glob(f".{stage}-*"):
                if path not in current:
                    say(f"{self._cell.name}: {stage} was started with other settings, restarted")
                elif path.is_symlink() or not path.is_dir():
                    say(f"{self._cell.name}: {path.name} is not a folder, {stage} is restarted")
                else:
                    continue
                remove(path)

    def clear(self, stage: str) -> None:
        """Remove the pieces of a stage that is finished."""
        with suppress(OSError):  # leftovers do no harm
            remove(self.folder(stage))

    def clear_after(self, stage: str) -> None:
        """Remove the pieces of later stages: they depend on this one, which runs again."""
        for later in STAGES[STAGES.index(stage) + 1 :]:
            self.clear(later)
