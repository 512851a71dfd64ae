"""A place to install packages in, and registries that forget what others found."""

import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from plugin_registry import forget

from paretosteer.plugins import single_files


@pytest.fixture
def site(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A folder on the path, forgotten afterwards with everything imported from it."""
    folder = tmp_path / "site"
    folder.mkdir()
    monkeypatch.syspath_prepend(folder)
    monkeypatch.setenv(single_files.VARIABLE, "")
    modules = set(sys.modules)
    forget()
    yield folder
    for name in set(sys.modules) - modules:
        if str(folder) in str(getattr(sys.modules[name], "__file__", "")):
            del sys.modules[name]
    forget()
