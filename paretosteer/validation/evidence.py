"""Evidence about one finished cell: its record and its files, read once."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from functools import cached_property
from io import BytesIO
from pathlib import Path
from typing import TYPE_CHECKING

from paretosteer.cells.record import ScoredRecord
from paretosteer.cells.scores import MOST_ROWS
from paretosteer.cells.state import STATE
from paretosteer.errors import first_line
from paretosteer.findings import Finding
from paretosteer.storage.untrusted import RefusedError, digest, read

if TYPE_CHECKING:
    import pandas as pd

    from paretosteer.interfaces import Array

MOST_BYTES = 4 * 2**30  # of one file that is held in memory: scores, drift, samples
# Files whose content is checked; of others, however large, only the digest is.
MEASURED = ("scores.parquet", "drift.parquet", "judge.parquet", "samples.jsonl", "training.csv")


@dataclass
class Evidence:
    """One finished cell.

    The check of its scores fills in `keys`, the sorted keys of their rows, the points `raw`,
    (points, m), and the scores `values` in standard units, (points, prompts, m).
    """

    folder: Path
    record: ScoredRecord
    keys: pd.DataFrame | None = None
    raw: Array | None = None
    values: Array | None = None
    _contents: dict[str, bytes] = field(default_factory=dict)

    @cached_property
    def digests(self) -> dict[str, str | RefusedError]:
        """Digest of every file that the record names, or the error in its place."""
        return {name: self._digest(name) for name in self.record.files}

    @cached_property
    def left_out(self) -> list[str]:
        """Files that publishing left out: checkpoint and samples, in a cell without `stages.json`.

        A cell of a sweep has `stages.json`, so it may not lack them.
        """
        if os.path.lexists(self.folder / STATE):
            return []
        return [
            name
            for name in self.record.files
            if (name.startswith("checkpoint/") or name == "samples.jsonl")
            and not os.path.lexists(self.folder / name)
        ]

    def content(self, name: str) -> bytes:
        """Return the bytes of one of MEASURED; RefusedError if its digest is not the record's.

        A damaged file is never parsed: readers of binary files are not safe against it.
        """
        recorded = self.record.files.get(name)
        if recorded is None:
            raise RefusedError(f"record names no {name}")
        if isinstance(found := self.digests[name], RefusedError):
            raise found
        if found != recorded:
            raise changed(name)
        return self._contents[name]

    def frame(self, name: str, columns: list[str]) -> pd.DataFrame:
        """Read columns of a Parquet file with a row per sample; RefusedError without them."""
        import pyarrow as pa
        import pyarrow.parquet as pq

        try:
            file = pq.ParquetFile(BytesIO(self.content(name)))
            rows = file.metadata.num_rows
            if rows > MOST_ROWS:
                raise RefusedError(f"{name} has {rows} rows, more than {MOST_ROWS}")
            if rows != self.record.n_total:
                raise RefusedError(f"{name} has {rows} rows, n_total is {self.record.n_total}")
            if absent := [c for c in columns if c not in file.schema_arrow.names]:
                raise RefusedError(f"{name} has no column {', '.join(absent)}")
            return file.read(columns).to_pandas(ignore_metadata=True)
        except (OSError, pa.ArrowException, ValueError) as error:
            raise RefusedError(
                f"{name} is not a Parquet file ({first_line(error)[:120]})"
            ) from None

    def _digest(self, name: str) -> str | RefusedError:
        try:
            if name not in MEASURED:
                return digest(self.folder, name)
            self._contents[name] = read(self.folder, name, MOST_BYTES)
            return hashlib.sha256(self._contents[name]).hexdigest()
        except RefusedError as refused:
            return refused


def changed(name: str) -> RefusedError:
    """Error of a file whose digest is not the recorded one."""
    return RefusedError(f"{name} is not the file that was recorded (its digest differs)")


Check = Callable[[Evidence], Iterator[Finding]]
