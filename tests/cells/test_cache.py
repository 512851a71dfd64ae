import shutil
import threading
import time
from pathlib import Path

import pytest

from paretosteer.errors import UsageError
from paretosteer.storage import cache


@pytest.fixture(autouse=True)
def _empty_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PARETOSTEER_CACHE", str(tmp_path))


class Maker:
    """Writes one file, counting how often."""

    def __init__(self, text: str = "content", delay: float = 0.0):
        self.text, self.delay, self.calls = text, delay, 0

    def __call__(self, folder: Path) -> None:
        self.calls += 1
        time.sleep(self.delay)
        (folder / "sub").mkdir()
        (folder / "sub" / "file").write_text(self.text)


def test_an_entry_is_made_once() -> None:
    make = Maker()
    first = cache.cached("pool", {"model": "x"}, make)
    assert cache.cached("pool", {"model": "x"}, make) == first
    assert cache.cached("pool", {"model": "y"}, make) != first
    assert make.calls == 2
    assert (first / "sub" / "file").read_text() == "content"


def test_a_cache_that_cannot_be_written_is_read(monkeypatch: pytest.MonkeyPatch) -> None:
    first = cache.cached("pool", {"model": "x"}, Maker())
    monkeypatch.setattr("os.access", lambda place, mode: False)  # as root, it is always true
    make = Maker()
    assert cache.cached("pool", {"model": "x"}, make) == first and not make.calls
    with pytest.raises(UsageError, match=r"PARETOSTEER_CACHE: .* cannot be written"):
        cache.cached("pool", {"model": "y"}, make)
    (first / "sub" / "file").write_text("other")
    with pytest.raises(UsageError, match=r"PARETOSTEER_CACHE: .* cannot be written"):
        cache.cached("pool", {"model": "x"}, make)


def test_jobs_that_ask_at_once_wait_for_one() -> None:
    make = Maker(delay=0.2)
    asking = [
        threading.Thread(target=cache.cached, args=("pool", {"model": "x"}, make)) for _ in range(4)
    ]
    for job in asking:
        job.start()
    for job in asking:
        job.join()
    assert make.calls == 1


@pytest.mark.parametrize("damage", ["change", "remove", "add", "manifest", "depths"])
def test_a_damaged_entry_is_made_again_and_said(
    damage: str, caplog: pytest.LogCaptureFixture
) -> None:
    make = Maker()
    folder = cache.cached("pool", {"model": "x"}, make)
    if damage == "change":
        (folder / "sub" / "file").write_text("other")
    elif damage == "remove":
        (folder / "sub" / "file").unlink()
    elif damage == "add":
        (folder / "stray").touch()
    else:
        (folder / cache.MANIFEST).write_text("{" if damage == "manifest" else "[" * 100_000)
    cache.cached("pool", {"model": "x"}, make)
    assert make.calls == 2
    assert (folder / "sub" / "file").read_text() == "content"
    assert "rebuilding it" in caplog.text


def test_a_cache_that_is_a_file_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "file").touch()
    monkeypatch.setenv("PARETOSTEER_CACHE", str(tmp_path / "file"))
    with pytest.raises(UsageError, match=r"PARETOSTEER_CACHE: .*/file is a file; use a folder"):
        cache.cached("pool", {"model": "x"}, Maker())


def test_a_maker_that_fails_leaves_no_entry(tmp_path: Path) -> None:
    def fails(folder: Path) -> None:
        (folder / "half").touch()
        raise RuntimeError("no")

    with pytest.raises(RuntimeError):
        cache.cached("pool", {"model": "x"}, fails)
    assert [path.suffix for path in (tmp_path / "pool").iterdir()] in ([], [".lock"])
    assert cache.cached("pool", {"model": "x"}, Maker()).is_dir()


@pytest.mark.parametrize("other", [("pool", {"model": "y"}), ("reward", {"model": "x"})])
def test_an_entry_in_the_place_of_another_is_made_again(
    other: tuple[str, dict[str, str]], caplog: pytest.LogCaptureFixture
) -> None:
    """Such as a cache that was sorted or merged by hand: its files are whole, but foreign."""
    own, foreign = (
        cache.cached("pool", {"model": "x"}, Maker("own")),
        cache.cached(*other, Maker("foreign")),
    )
    shutil.rmtree(own)
    shutil.copytree(foreign, own)
    assert cache.existing("pool", {"model": "x"}) is None
    cache.cached("pool", {"model": "x"}, Maker("own"))
    assert (own / "sub" / "file").read_text() == "own"
    assert "is another entry, copied or renamed; rebuilding it" in caplog.text


def test_an_entry_of_a_file_that_is_edited_meanwhile_is_refused(tmp_path: Path) -> None:
    source = tmp_path / "source"
    source.write_text("first")

    def slow(folder: Path) -> None:
        source.write_text("second")
        (folder / "copy").write_text(source.read_text())

    def key() -> dict[str, str]:
        return {"source": source.read_text()}

    with pytest.raises(UsageError, match=r"^reward: .* was edited meanwhile; run"):
        cache.cached("reward", key, slow)
    source.write_text("first")
    assert cache.existing("reward", key()) is None
