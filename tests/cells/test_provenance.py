import re
import shutil
from pathlib import Path

import pytest

from paretosteer.cells import provenance


def test_the_source_digest_covers_every_mapped_folder() -> None:
    sources = provenance._sources()
    assert {
        "paretosteer/commands/main.py",
        "paretosteer/methods/clp.py",
        "paretosteer/conf/__init__.py",
    } <= sources.keys()
    assert re.fullmatch("[0-9a-f]{64}", provenance.source_digest())


def test_versions_name_what_figures_depend_on() -> None:
    assert {"python", "paretosteer", "torch", "transformers"} <= provenance.versions().keys()


def test_a_commit_is_known_only_in_a_checkout(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(provenance, "_folder", lambda package: tmp_path / "paretosteer")
    assert provenance.git.__wrapped__() == {"commit": None, "dirty": None}


@pytest.mark.skipif(shutil.which("git") is None, reason="git is not installed")
def test_a_checkout_with_changed_code_is_dirty(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(provenance, "_folder", lambda package: tmp_path / "paretosteer")
    author = ("-c", "user.name=a", "-c", "user.email=a@example.org")
    provenance._git(tmp_path, "init", "--quiet")
    provenance._git(tmp_path, *author, "commit", "--quiet", "--allow-empty", "-m", "first")
    (tmp_path / "notes.txt").touch()
    clean = provenance.git.__wrapped__()
    (tmp_path / "methods").mkdir()
    (tmp_path / "methods" / "new.py").touch()
    dirty = provenance.git.__wrapped__()
    assert re.fullmatch("[0-9a-f]{40}", clean["commit"])
    assert (clean["dirty"], dirty["dirty"]) == (False, True)
