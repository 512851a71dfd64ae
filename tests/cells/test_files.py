import errno
import os
from pathlib import Path

import pytest

from paretosteer.errors import UsageError
from paretosteer.storage import atomic, untrusted


def test_a_link_to_nothing_is_no_folder_to_write_to(tmp_path: Path) -> None:
    (tmp_path / "link").symlink_to(tmp_path / "gone")
    with pytest.raises(UsageError, match=r"sweep_dir: .*/link is a link to no folder; use"):
        atomic.check_writable(tmp_path / "link" / "sweep")
    (tmp_path / "gone").mkdir()
    atomic.check_writable(tmp_path / "link" / "sweep")


def test_below_a_folder_that_nobody_may_search_the_folder_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    look = os.stat

    def refused(path: str | Path, **options: bool) -> os.stat_result:  # also for root
        if str(path).startswith(f"{tmp_path}{os.sep}"):
            raise PermissionError(13, "Permission denied", str(path))
        return look(path, **options)

    monkeypatch.setattr(os, "stat", refused)
    monkeypatch.setattr(os, "lstat", refused)
    monkeypatch.setattr(os, "access", lambda place, mode: False)
    with pytest.raises(UsageError, match=f"sweep_dir: {tmp_path} cannot be written"):
        atomic.check_writable(tmp_path / "a" / "b")


def test_a_disk_that_fails_while_it_is_read_is_said(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fails(*args: object) -> None:
        raise OSError(errno.EIO, os.strerror(errno.EIO))

    (tmp_path / "scores").write_text("content")
    monkeypatch.setattr(untrusted.hashlib, "file_digest", fails)
    with pytest.raises(
        untrusted.RefusedError, match=r"scores cannot be read \(Input/output error\)"
    ):
        untrusted.digest(tmp_path, "scores")
