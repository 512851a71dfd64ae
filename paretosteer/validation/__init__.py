"""Validation of finished cells and reports, including those from elsewhere.

    from paretosteer.validation import validate

    for verdict in validate("results/five_methods"):
        print(verdict.path, verdict.line)

No file of a folder is trusted: it may be damaged, forged, or a pipe that blocks its reader.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from paretosteer.errors import UsageError

if TYPE_CHECKING:
    from paretosteer.validation.verdict import Verdict

__all__ = ["validate"]


def validate(folder: str | os.PathLike[str]) -> Iterator[Verdict]:
    """Yield the verdict on every cell below a folder as it is checked, then on its reports.

    Raises
    ------
    UsageError
        If there is no such folder, or no cell in it.
    """
    from paretosteer.cells.discovery import cells_below
    from paretosteer.validation.cell_verdict import check_cell
    from paretosteer.validation.report_verdict import check_report, report_folders

    root = Path(folder)
    if not root.is_dir():
        raise UsageError(f"{root}: not a folder; give a folder that a sweep wrote")
    found = []
    for path in cells_below(root):
        found.append(check_cell(path))
        yield found[-1].verdict
    if not found:
        raise UsageError(
            f"{root}: holds no cell; give a folder that `paretosteer sweep` or `run` wrote"
        )
    for path in report_folders(root):
        yield check_report(path, found)
