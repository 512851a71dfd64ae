"""Pieces of unfinished work, each with the digest of its content in its name.

A piece is whole or absent after any crash, and later damage is detected.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator
from pathlib import Path

from paretosteer.storage.atomic import atomic_write, remove
from paretosteer.storage.untrusted import RefusedError, digest

_LENGTH = 16  # hexadecimal digits


class Pieces:
    """Files of one suffix in a folder, by name; `say` reports those that are damaged."""

    def __init__(self, folder: Path, suffix: str, say: Callable[[str], None] = lambda line: None):
        self.folder, self._suffix, self._say = folder, suffix, say

    def write(self, name: str, content: bytes) -> None:
        """Write the piece of this name, replacing an earlier one."""
        digits = hashlib.sha256(content).hexdigest()[:_LENGTH]
        path = self.folder / f"{name}.{digits}{self._suffix}"
        with atomic_write(path) as draft:
            draft.write_bytes(content)
        for older in self._named(name):
            if older != path:
                remove(older)

    def find(self, name: str) -> Path | None:
        """Path of the piece of this name; None if there is no intact one."""
        for path in self._named(name):
            if self._whole(path):
                return path
            self._say(f"{path}: damaged, not used")
        return None

    def last(self) -> Path | None:
        """Path of the piece whose name sorts last, if it is intact."""
        names = {path.name.split(".")[0] for path in self._named("*")}
        return self.find(max(names)) if names else None

    def remove(self, which: Callable[[str], bool]) -> None:
        """Remove the pieces whose name satisfies `which`."""
        for path in list(self._named("*")):
            if which(path.name.split(".")[0]):
                remove(path)

    def _whole(self, path: Path) -> bool:
        try:
            return digest(self.folder, path.name).startswith(path.name.split(".")[-2])
        except RefusedError:
            return False

    def _named(self, name: str) -> Iterator[Path]:
        """Newest first: a crash may have left an older one beside it."""
        found = self.folder.glob(f"{name}.*{self._suffix}")
        whole = [path for path in found if not path.name.startswith(".")]
        return iter(sorted(whole, key=lambda path: path.lstat().st_mtime_ns, reverse=True))
