"""Finished stages of a cell, their files, and whether those are still intact."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from paretosteer.storage import untrusted
from paretosteer.storage.atomic import write_json
from paretosteer.storage.digest import file_digest, has_own_digest, with_digest

STAGES = ("train", "sample", "score")
STATE = "stages.json"  # digest and files of every finished stage


class State:
    """`stages.json` of a cell's folder: its finished stages, their files and their cost."""

    def __init__(self, folder: Path):
        self.folder = folder
        self.stages: dict[str, Any] = _read(folder)
        self._digests: dict[str, str | None] = {}  # files may be large, each is read once

    def finished(self, digests: dict[str, str]) -> list[str]:
        """Stages finished under these digests with intact files, up to the first that is not."""
        done = []
        for name in STAGES:
            stage = self.stages.get(name)
            if stage is None or stage["digest"] != digests[name] or not self._whole(stage["files"]):
                break
            done.append(name)
        return done

    def damage(self, digests: dict[str, str]) -> Iterator[str]:
        """One line per missing or damaged file of a stage that would otherwise be reused."""
        if not self.stages and os.path.lexists(self.folder / STATE):
            yield f"{STATE} is damaged, every stage runs again"
        for name, stage in self.stages.items():
            if stage["digest"] == digests[name]:
                for file, known in stage["files"].items():
                    if not self._is_intact(file, known):
                        yield f"{file} is missing or damaged, stage {name!r} runs again"

    def finish(self, name: str, digest: str, files: list[str], facts: dict[str, Any]) -> None:
        """Mark a stage as finished, and those after it as not."""
        kept = STAGES[: STAGES.index(name)]
        self.stages = {k: v for k, v in self.stages.items() if k in kept}
        digests = {file: file_digest(self.folder / file) for file in files}
        self.stages[name] = {"digest": digest, "files": digests, "facts": facts}
        self._digests |= digests
        write_json(self.folder / STATE, with_digest(self.stages))

    def facts(self, name: str) -> dict[str, Any]:
        """Facts of a finished stage for the record, such as its cost."""
        facts: dict[str, Any] = self.stages[name]["facts"]
        return facts

    @property
    def files(self) -> dict[str, str]:
        """Digest of every file of every finished stage."""
        return {k: v for stage in self.stages.values() for k, v in stage["files"].items()}

    def are_of(self, files: Mapping[str, str]) -> bool:
        """True if a record with these files was made from these stages."""
        return self.files.items() <= files.items()

    def whole(self, name: str) -> bool:
        """True if a stage was finished, under any digest, and its files are intact."""
        return name in self.stages and self._whole(self.stages[name]["files"])

    def _whole(self, files: dict[str, str]) -> bool:
        return all(self._is_intact(name, known) for name, known in files.items())

    def _is_intact(self, name: str, known: str) -> bool:
        if name not in self._digests:
            try:
                self._digests[name] = untrusted.digest(self.folder, name)
            except untrusted.RefusedError:
                self._digests[name] = None
        return self._digests[name] == known


def _read(folder: Path) -> dict[str, Any]:
    """Finished stages; none if the file is absent or was changed since `State.finish` wrote it."""
    try:
        stages = untrusted.read_json(folder, STATE)
    except untrusted.RefusedError:
        return {}
    if not isinstance(stages, dict) or not has_own_digest(stages):
        return {}
    del stages["digest"]
    parts = {"digest": str, "files": dict, "facts": dict}
    fine = all(
        name in STAGES
        and isinstance(stage, dict)
        and all(isinstance(stage.get(part), kind) for part, kind in parts.items())
        for name, stage in stages.items()
    )
    return stages if fine else {}
