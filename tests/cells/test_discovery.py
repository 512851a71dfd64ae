"""Which folders are cells."""

from __future__ import annotations

from pathlib import Path

import pytest

from paretosteer.cells.discovery import cells_below

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
