"""Source of the pairs of one objective, as configured."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

from paretosteer.errors import UsageError, did_you_mean, first_line
from paretosteer.storage.digest import digest, input_digest
from paretosteer.text.pairs.column_names import unread
from paretosteer.text.pairs.hub_commit import hub_commit
from paretosteer.text.pairs.open_files import COMPRESSIONS, KINDS, kind_of
from paretosteer.text.pairs.splits import SPLITS_VERSION

PAIRS_VERSION = "5"  # raise it when the same source would give other pairs, or other splits


@dataclass(frozen=True)
class Source:
    """A file of pairs, a folder that `datasets` can read, or a data set on the hub.

    `split`, `config`, `folder` (the hub's `data_dir`) and `revision` apply to data sets, `split`
    also to JSON files with splits. `winner` is the column that names the winner among two
    responses, `rating` the column or attribute by which answers to the same prompt are compared.
    `columns` holds other names of columns, such as `("prompt", "question")`.
    """

    option: str  # name of the option, for errors
    path: str
    split: str | None = None
    config: str | None = None
    folder: str | None = None
    revision: str | None = None
    winner: str | None = None
    rating: str | None = None
    columns: tuple[tuple[str, str], ...] = ()

    @classmethod
    def of(cls, value: str | Mapping[str, Any], objective: str) -> Source:
        """Parse a string or a mapping under `benchmark.pairs.<objective>`."""
        source = cls.at(f"benchmark.pairs.{objective}", value)
        for name, _ in source.columns:
            remedy = None if name in (source.winner, source.rating) else unread(name)
            if remedy:
                raise UsageError(
                    f"{source.option}.columns.{name}: no format reads a column of this name "
                    f"({remedy}); use columns: {{NAME: COLUMN}}, where COLUMN is in the data"
                )
        return source

    @classmethod
    def at(cls, option: str, value: str | Mapping[str, Any]) -> Source:
        """Parse a string or a mapping under any other option, whose rows have fixed columns."""
        given: dict[str, Any] = {"path": value} if isinstance(value, str) else dict(value)
        allowed = [field.name for field in fields(cls) if field.name != "option"]
        for name, item in given.items():
            if name not in allowed:
                raise UsageError(f"{option}.{name} is not a setting; {did_you_mean(name, allowed)}")
            if name == "columns":
                given[name] = _columns(f"{option}.{name}", item)
            elif not isinstance(item, str | None):
                raise UsageError(f"{option}.{name}: found {item!r}; use a string")
        if not given.get("path"):
            raise UsageError(
                f"{option}: no path; set it to a file, a folder or the name of a data set"
            )
        return cls(option, **given)._checked()

    @property
    def is_file(self) -> bool:
        """True if the source is a single file rather than a data set."""
        return kind_of(self.path) is not None and not Path(self.path).is_dir()

    def digest(self) -> str:
        """Digest of the bytes of a file or folder, or of a hub name with its commit."""
        path = Path(self.path)
        content: Any
        if self.is_file:
            content = input_digest(path)
        elif path.is_dir():
            content = self.content()
        else:
            content = {"hub": self.path, "commit": self.commit()}
        part: dict[str, Any] = {"split": self.split, "config": self.config, "folder": self.folder}
        part |= {"winner": self.winner, "rating": self.rating, "columns": self.columns}
        return digest({"content": content, **part, "versions": [PAIRS_VERSION, SPLITS_VERSION]})

    def content(self) -> dict[str, str]:
        """Digest of every file of a folder by its path in it; UsageError for a link to no file."""
        path = Path(self.path)
        found = sorted(path.rglob("*"))
        if links := [file for file in found if file.is_symlink() and not file.is_file()]:
            what = "link to a folder" if links[0].is_dir() else "broken link"
            raise UsageError(
                f"{self.option}: {str(links[0])!r} is a {what}; copy its target into the folder, "
                "or remove it"
            )
        files = [file for file in found if file.is_file()]
        return {file.relative_to(path).as_posix(): input_digest(file) for file in files}

    def commit(self) -> str:
        """Commit of a name on the hub; UsageError if it cannot be resolved."""
        # `datasets` takes this name for its loader of pickled frames, which could run any code.
        if self.path == "pandas":
            raise UsageError(f"{self.option}: pickled frames are never loaded; use Parquet files")
        try:
            return hub_commit(self.path, self.config, self.folder, self.revision)
        except Exception as error:  # loaders and the network raise arbitrary errors
            raise UsageError(
                f"{self.option}: the data set {self.path!r} cannot be loaded from the hub "
                f"({type(error).__name__}: {first_line(error)}); without a network, use a file: "
                f"{self.option}=/path/to/file.jsonl.gz"
            ) from None

    def _checked(self) -> Source:
        path = Path(self.path)
        if self.is_file:
            if not path.is_file():
                raise UsageError(
                    f"{self.option}: the file {self.path!r} does not exist; fix the path"
                )
            for name in ("split", "config", "folder", "revision"):
                # A JSON file may hold several splits.
                if getattr(self, name) and (name, kind_of(self.path)) != ("split", ".json"):
                    raise UsageError(
                        f"{self.option}.{name}: {self.path!r} is a single file, which has none; "
                        "remove this setting"
                    )
        elif path.is_file():
            raise UsageError(
                f"{self.option}: {self.path!r} has an unsupported format; use {', '.join(KINDS)}, "
                f"text also with {', '.join(COMPRESSIONS)}, a folder or the name of a data set"
            )
        elif not path.is_dir() and (self.path.startswith((".", "/", "~")) or _deep(self.path)):
            raise UsageError(
                f"{self.option}: {self.path!r} does not exist; use a file, a folder or the name of "
                "a data set"
            )
        if path.is_dir() and self.revision:
            raise UsageError(
                f"{self.option}.revision: found {self.revision!r}, but {self.path!r} is a folder; "
                f"set {self.option} to a string or to all of its settings, without a revision"
            )
        return self


def _columns(option: str, given: Any) -> tuple[tuple[str, str], ...]:
    if given is None:
        return ()
    if not isinstance(given, Mapping) or not all(
        isinstance(part, str) for item in given.items() for part in item
    ):
        raise UsageError(f"{option}: found {given!r}; use a mapping such as {{prompt: question}}")
    for name, column in given.items():
        if others := [other for other in given if other != name and given[other] == column]:
            raise UsageError(
                f"{option}: {name} and {others[0]} are both the column {column!r}; give each its "
                "own"
            )
    return tuple(sorted(given.items()))


def _deep(path: str) -> bool:
    return path.count("/") > 1  # names on the hub are `owner/name`
