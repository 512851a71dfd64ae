"""What a stage of a cell keeps until it is finished, and the lock that makes one job its owner."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

from paretosteer.cells import provenance
from paretosteer.cells.plan import CellPlan
from paretosteer.cells.state import STAGES
from paretosteer.plugins.in_use import used
from paretosteer.storage.atomic import remove, remove_drafts
from paretosteer.storage.digest import digest


class Unfinished:
    """Folders inside a cell's, one per stage; a stage that is finished leaves none.

    Only the same code, libraries and kind of device go on with what lies there, so that a cell
    which was interrupted ends as if it had not been.
    """

    def __init__(self, plan: CellPlan, device: str, processes: int = 1):
        self._cell = plan.folder
        plugins = used(plan.config)
        code = [provenance.source_digest(plugins), provenance.versions(plugins)]
        around = [*code, device, processes]
        self._keys = {stage: digest([plan.digests[stage], *around])[:10] for stage in STAGES}

    def folder(self, stage: str) -> Path:
        """Where this stage keeps its pieces."""
        return self._cell / f".{stage}-{self._keys[stage]}"

    def tidy(self, say: Callable[[str], None]) -> None:
        """Remove drafts, and pieces that nothing can go on with."""
        remove_drafts(self._cell)
        current = {self.folder(stage) for stage in STAGES}
        for stage in STAGES:
            for path in self._cell.glob(f".{stage}-*"):
                if path not in current:
                    say(f"{self._cell.name}: {stage} was begun under another setting, begun again")
                elif path.is_symlink() or not path.is_dir():
                    say(f"{self._cell.name}: {path.name} is no folder, {stage} is begun again")
                else:
                    continue
                remove(path)

    def clear(self, stage: str) -> None:
        """Remove the pieces of a stage that is finished."""
        with suppress(OSError):  # what is left does no harm
            remove(self.folder(stage))

    def clear_after(self, stage: str) -> None:
        """Remove the pieces of later stages: this one is done again, perhaps with another end."""
        for later in STAGES[STAGES.index(stage) + 1 :]:
            self.clear(later)
