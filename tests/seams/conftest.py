"""Plug-in files that a test declares, forgotten afterwards."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from paretosteer.plugins import single_files


@pytest.fixture
def plugin(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[str], None]:
    """Declare a plug-in file with this source."""
    monkeypatch.setenv(single_files.VARIABLE, "")

    def declare(source: str) -> None:
        path = tmp_path / "outside.py"
        path.write_text(source)
        single_files.add([str(path)])

    return declare
