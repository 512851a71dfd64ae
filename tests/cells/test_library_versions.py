"""Versions that a record states are those of the code that is imported."""

from __future__ import annotations

import re
import sys
from importlib.metadata import version
from pathlib import Path

import pytest

from paretosteer.runtime.libraries import _versions


def test_a_copy_on_the_path_is_not_the_installed_version(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    installed = version("rouge-score")
    assert _versions.__wrapped__()["rouge-score"] == installed
    package = tmp_path / "rouge_score"
    package.mkdir()
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.delitem(sys.modules, "rouge_score", raising=False)
    found = []
    for content in ("value = 1\n", "value = 2\n"):
        (package / "__init__.py").write_text(content)
        found.append(_versions.__wrapped__()["rouge-score"])
    pattern = re.escape(installed) + r" \(source [0-9a-f]{8}\)"
    assert all(re.fullmatch(pattern, each) for each in found) and found[0] != found[1]
