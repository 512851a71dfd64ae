"""Where the pairs of one objective come from, as a configuration says it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

from paretosteer.errors import UsageError, did_you_mean
from paretosteer.storage.digest import digest, input_digest
from paretosteer.text.pairs.splits import SPLITS_VERSION

FILES = (".jsonl", ".jsonl.gz", ".json", ".json.gz", ".parquet")
PAIRS_VERSION = "1"  # raised when the same source gives other pairs


@dataclass(frozen=True)
class Source:
    """A file of pairs, a folder that `datasets` reads, or a data set on the hub.

    `split`, `folder` (the hub's `data_dir`) and `revision` are for data sets; `winner` is the
    column that says which of `response_0` and `response_1` won.
    """

    option: str  # the key that it was given under, for errors
    path: str
    split: str | None = None
    folder: str | None = None
    revision: str | None = None
    winner: str | None = None

    @classmethod
    def of(cls, value: str | Mapping[str, Any], objective: str) -> Source:
        """From a string or a mapping; UsageError that names `benchmark.pairs.<objective>`."""
        return cls.at(f"benchmark.pairs.{objective}", value)

    @classmethod
    def at(cls, option: str, value: str | Mapping[str, Any]) -> Source:
        """The same of any other option."""
        given = {"path": value} if isinstance(value, str) else dict(value)
        known = [field.name for field in fields(cls) if field.name != "option"]
        for name, item in given.items():
            if name not in known:
                raise UsageError(f"{option}.{name} is not a setting; {did_you_mean(name, known)}")
            if not isinstance(item, str | None):
                raise UsageError(f"{option}.{name}: found {item!r}, expected text")
        if not given.get("path"):
            raise UsageError(f"{option}: needs a path (a file, a folder or the name of a data set)")
        return cls(option, **given)._checked()

    @property
    def is_file(self) -> bool:
        """Whether it is one file, and no data set."""
        return self.path.endswith(FILES)

    def digest(self) -> str:
        """Digest of the content: of a file's or folder's bytes, or of a name with its revision."""
        path = Path(self.path)
        content: Any = {"hub": self.path, "revision": self.revision}
        if self.is_file:
            content = input_digest(path)
        elif path.is_dir():
            found = sorted(file for file in path.rglob("*") if file.is_file())
            content = {file.relative_to(path).as_posix(): input_digest(file) for file in found}
        part = {"split": self.split, "folder": self.folder, "winner": self.winner}
        return digest({"content": content, **part, "versions": [PAIRS_VERSION, SPLITS_VERSION]})

    def _checked(self) -> Source:
        path = Path(self.path)
        if self.is_file:
            if not path.is_file():
                raise UsageError(f"{self.option}: there is no file {self.path!r}")
            for name in ("split", "folder", "revision"):
                if getattr(self, name):
                    raise UsageError(
                        f"{self.option}.{name}: {self.path!r} is a single file, which has none"
                    )
        elif path.is_file():
            raise UsageError(
                f"{self.option}: {self.path!r} is of no known kind; give {', '.join(FILES)}, "
                "a folder or the name of a data set"
            )
        elif not path.is_dir() and (self.path.startswith((".", "/", "~")) or _deep(self.path)):
            raise UsageError(
                f"{self.option}: there is nothing at {self.path!r}; give a file, a folder or the "
                "name of a data set"
            )
        return self


def _deep(path: str) -> bool:
    return path.count("/") > 1  # names on the hub are `owner/name`
