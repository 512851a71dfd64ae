"""Which stages of a cell are finished, with which files, and whether those are still whole."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from paretosteer.cells.record import as_written, sealed
from paretosteer.storage import untrusted
from paretosteer.storage.atomic import write_json
from paretosteer.storage.digest import file_digest

STAGES = ("train", "sample", "score")
STATE = "stages.json"  # digest and files of every finished stage


class State:
    """`stages.json` of a cell's folder: which stages are finished, with what, at what cost."""

    def __init__(self, folder: Path):
        self.folder = folder
        self.stages: dict[str, Any] = _read(folder)
        self._found: dict[str, str | None] = {}  # digests; files may be large, each is read once

    def finished(self, digests: dict[str, str]) -> list[str]:
        """Stages done under these digests with their files whole, up to the first that is not."""
        done = []
        for name in STAGES:
            stage = self.stages.get(name)
            if stage is None or stage["digest"] != digests[name] or not self._whole(stage["files"]):
                break
            done.append(name)
        return done

    def damage(self, digests: dict[str, str]) -> Iterator[str]:
        """What a stage that counts should have left and did not, one line each."""
        if not self.stages and os.path.lexists(self.folder / STATE):
            yield f"{STATE} is damaged, every stage is done again"
        for name, stage in self.stages.items():
            if stage["digest"] == digests[name]:
                for file, known in stage["files"].items():
                    if not self._as_booked(file, known):
                        yield f"{file} is missing or damaged, stage {name!r} is done again"

    def finish(self, name: str, digest: str, files: list[str], facts: dict[str, Any]) -> None:
        """Book a stage; those after it are void."""
        kept = STAGES[: STAGES.index(name)]
        self.stages = {k: v for k, v in self.stages.items() if k in kept}
        found = {file: file_digest(self.folder / file) for file in files}
        self.stages[name] = {"digest": digest, "files": found, "facts": facts}
        self._found |= found
        write_json(self.folder / STATE, sealed(self.stages))

    def facts(self, name: str) -> dict[str, Any]:
        """What a finished stage left to be recorded."""
        found: dict[str, Any] = self.stages[name]["facts"]
        return found

    @property
    def files(self) -> dict[str, str]:
        """Digest of every file of every finished stage."""
        return {k: v for stage in self.stages.values() for k, v in stage["files"].items()}

    def are_of(self, files: Mapping[str, str]) -> bool:
        """Whether a record with these files was made from these stages."""
        return self.files.items() <= files.items()

    def whole(self, name: str) -> bool:
        """Whether a stage was finished, under whatever digest, and left files that are still so."""
        return name in self.stages and self._whole(self.stages[name]["files"])

    def _whole(self, files: dict[str, str]) -> bool:
        return all(self._as_booked(name, known) for name, known in files.items())

    def _as_booked(self, name: str, known: str) -> bool:
        if name not in self._found:
            try:
                self._found[name] = untrusted.digest(self.folder, name)
            except untrusted.RefusedError:
                self._found[name] = None
        return self._found[name] == known


def _read(folder: Path) -> dict[str, Any]:
    """The booked stages; none where there are none, or not as `State.finish` wrote them."""
    try:
        stages = untrusted.read_json(folder, STATE)
    except untrusted.RefusedError:
        return {}
    if not isinstance(stages, dict) or not as_written(stages):
        return {}
    stages.pop("digest", None)
    parts = {"digest": str, "files": dict, "facts": dict}
    fine = all(
        name in STAGES
        and isinstance(stage, dict)
        and all(isinstance(stage.get(part), kind) for part, kind in parts.items())
        for name, stage in stages.items()
    )
    return stages if fine else {}
