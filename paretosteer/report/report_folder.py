"""Folder of a report: its files, their digests, and what a caller needs to know of it."""

import os
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from hashlib import sha256
from pathlib import Path
from typing import TYPE_CHECKING

from paretosteer.cells.cell import Cell
from paretosteer.errors import UsageError
from paretosteer.storage.atomic import atomic_write

if TYPE_CHECKING:
    import pandas as pd

SUMS = "SHA256SUMS"


@dataclass(frozen=True)
class Report:
    """Files of a report, and the status of its cells.

    `leaderboard` has the rows of `leaderboard.csv`; `counts` says how many cells that count
    (none superseded by a better one) have which status; `problems` are those not `ok`. `warnings`
    are, by the number of a table, what keeps its figures from being taken at face value. `damaged`
    are the labels of its rows whose texts are usually damaged.
    """

    leaderboard: "pd.DataFrame"
    folder: Path
    page: Path
    counts: Mapping[str, int]
    problems: tuple[Cell, ...]
    warnings: Mapping[int, Sequence[str]] = field(default_factory=dict)
    damaged: Mapping[int, Collection[str]] = field(default_factory=dict)

    @property
    def failed(self) -> int:
        """Cells that failed; with any, a sweep exits with 1."""
        return self.counts.get("failed", 0)


def report_folder(sweep: str | os.PathLike[str], out: str | os.PathLike[str] | None) -> Path:
    """Folder of a report: `out`, by default `report` in the sweep; UsageError if it is a file."""
    folder = Path(out) if out is not None else Path(sweep) / "report"
    if folder.exists() and not folder.is_dir():
        raise UsageError(f"--out: {folder} is a file; give a folder")
    return folder


def sums(contents: Mapping[str, bytes]) -> str:
    """Digest of every file, one a line, as `sha256sum --check` reads them."""
    lines = (f"{sha256(content).hexdigest()}  {name}\n" for name, content in contents.items())
    return "".join(lines)


def write_files(folder: Path, contents: Mapping[str, bytes]) -> None:
    """Write files by name, each atomically."""
    for name, content in contents.items():
        with atomic_write(folder / name) as temporary:
            temporary.write_bytes(content)
