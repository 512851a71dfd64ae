"""Which folders are cells."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from paretosteer import load_cells, load_points, load_scores
from paretosteer.cells.cell import find_cells
from paretosteer.cells.discovery import cells_below
from paretosteer.errors import UsageError

CELL = "bandit/clp/seed0-0123456789"


@pytest.mark.parametrize(
    ("files", "expected"),
    [
        ([f"{CELL}/record.json"], [CELL]),
        ([f"{CELL}/config.yaml"], [CELL]),  # interrupted
        ([f"{CELL}/config.yaml", f"{CELL}/checkpoint/record.json"], [CELL]),
        (["copy/record.json"], ["copy"]),
        (["record.json", f"{CELL}/record.json"], [".", CELL]),  # a cell's files in the sweep's
        ([f"seed1-0123456789/{CELL}/record.json"], [f"seed1-0123456789/{CELL}"]),
        ([f"{CELL}/"], [CELL]),  # about to begin
        (["report/report.json"], []),
    ],
)
def test_folders_of_cells(files: list[str], expected: list[str], tmp_path: Path) -> None:
    for name in files:
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        if name.endswith("/"):
            (tmp_path / name).mkdir(parents=True)
        else:
            (tmp_path / name).write_text("")
    found = [path.relative_to(tmp_path).as_posix() for path in cells_below(tmp_path)]
    assert found == expected


@pytest.mark.parametrize("read", [load_cells, load_points, load_scores, find_cells])
def test_a_list_of_folders_is_refused(read: Callable[..., object], tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"dirs: \['a', 'b'\] is not a path; give each folder as"):
        read(["a", "b"])
