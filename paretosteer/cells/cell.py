"""A cell on disk: its record, its configuration and its status.

See `cells_below` for which folders are cells. A cell whose record cannot be read is kept with the
reason, never skipped; one without a record was interrupted and is "missing".
"""

import os
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from paretosteer.cells.cell_name import seed_of
from paretosteer.cells.config_yaml import CONFIG
from paretosteer.cells.discovery import cells_below, links_below
from paretosteer.cells.record import RECORD, Record, ScoredRecord, read_record
from paretosteer.errors import UsageError
from paretosteer.runtime.progress import say
from paretosteer.runtime.terminal import line
from paretosteer.storage.atomic import regular

_SCORED = ("ok", "partial")


@dataclass(frozen=True)
class Cell:
    """A cell folder as it was found.

    `status` is the record's (`ok`, `partial`, `failed`, `unsupported`), `missing` without a record,
    or `unreadable`; `reason` says why it is neither of the first two. `config` is empty if it
    cannot be read.
    """

    path: Path
    status: str
    reason: str
    record: Record | None
    config: Mapping[str, Any]

    @property
    def scored(self) -> bool:
        """True if the cell finished with scores that can be read."""
        return self.status in _SCORED

    @property
    def results(self) -> ScoredRecord:
        """Record of a scored cell."""
        assert isinstance(self.record, ScoredRecord), self.status
        return self.record

    @property
    def benchmark(self) -> str:
        """Name of the benchmark; without a record, that of its folder."""
        return self.record.benchmark.name if self.record else self.path.parent.parent.name

    @property
    def model(self) -> str:
        """Name of the start model; empty where it is not recorded."""
        return self.record.model.name if self.record and self.record.model else ""

    @property
    def method(self) -> str:
        """Name of the method; without a record, that of its folder."""
        return self.record.method if self.record else self.path.parent.name

    @property
    def variant(self) -> str:
        """Options that differ from the method's defaults."""
        return self.record.variant if self.record else ""

    @property
    def method_files(self) -> str | None:
        """Digest of the files that the method's options name; None without any, or a record."""
        return self.record.method_files if self.record else None

    @property
    def seed(self) -> int | None:
        """Seed of the cell, from its record or its folder's name."""
        return self.record.seed if self.record else seed_of(self.path.name)

    @property
    def fold(self) -> int | None:
        """Cross-validation fold; of an unfinished cell the one it was configured for."""
        if self.record and self.record.fold:
            return self.record.fold.index
        return None if self.scored else self._configured_fold

    @property
    def turn(self) -> tuple[int, int | None]:
        """Fold (0 without) and seed, by which the cells of one configuration differ."""
        return self.fold or self._configured_fold or 0, self.seed

    @property
    def _configured_fold(self) -> int | None:
        options = self.config.get("benchmark")
        fold = options.get("fold") if isinstance(options, Mapping) else None
        return fold if isinstance(fold, int) else None


def find_cells(*dirs: str | os.PathLike[str]) -> list[Cell]:
    """Every cell at or below the folders, once each, in the order of their paths.

    Raises
    ------
    UsageError
        If a folder does not exist or no cell lies below any of them.
    """
    return [read_cell(path) for path in cell_folders(*dirs)]


def cell_folders(*dirs: str | os.PathLike[str]) -> list[Path]:
    """Paths of the cells at or below the folders, as `find_cells`."""
    if wrong := [each for each in dirs if not isinstance(each, str | os.PathLike)]:
        raise UsageError(f"dirs: {wrong[0]!r} is not a path; give each folder as its own argument")
    folders = [Path(folder) for folder in dirs]
    for folder in folders:
        if not folder.is_dir():
            raise UsageError(f"{folder}: is not a folder; give a folder that a sweep wrote")
    for link in dict.fromkeys(link for folder in folders for link in links_below(folder)):
        _warn_of_link(link)
    found = {path.resolve(): path for folder in folders for path in cells_below(folder)}
    if not found:
        where = ", ".join(map(str, folders)) or "nothing"
        raise UsageError(
            f"{where}: holds no cell; give a folder that `paretosteer sweep` or `run` wrote"
        )
    return [found[key] for key in sorted(found)]


@cache
def _warn_of_link(link: Path) -> None:
    """Warn once, since a command may look for cells several times."""
    say(
        line(
            f"warning: {link} is a link, which is not followed; to include its cells, give the "
            "folder it points to"
        )
    )


def read_cell(path: Path) -> Cell:
    """Read the cell in a folder; never raises, whatever its state."""
    if not (path / RECORD).exists():
        reason = f"no {RECORD}: interrupted, or still running"
        return Cell(path, "missing", reason, None, _read_config(path))
    try:
        record = read_record(path)
    except UsageError as error:
        return Cell(path, "unreadable", str(error).removeprefix(f"{path}{os.sep}"), None, {})
    return Cell(path, record.status, record.explanation, record, record.config)


def _read_config(path: Path) -> Mapping[str, Any]:
    """Resolved configuration of an interrupted cell; empty if that is half-written too."""
    from omegaconf import DictConfig, OmegaConf

    try:
        config = OmegaConf.load(regular(path / CONFIG))
        plain = OmegaConf.to_container(config, resolve=False)
    # Whatever YAML or OmegaConf make of half a file, the cell is missing all the same.
    except Exception:
        return {}
    return (
        {str(key): value for key, value in plain.items()}
        if isinstance(config, DictConfig) and isinstance(plain, dict)
        else {}
    )
