"""Whatever is wrong with a cell, what `validate` says to do about it makes it trusted again."""

from __future__ import annotations

import gc
import json
import os
import shutil
import signal
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from small_cells import cell_folder, contents, run_cell

from paretosteer.storage.digest import with_digest
from paretosteer.validation import validate

CELL = "method=clp"
NAMES = (
    *("record.json", "config.yaml", "stages.json", "scores.parquet", "samples.jsonl"),
    *("training.csv", "checkpoint/method.json", "checkpoint/policy.safetensors"),
)

Damage = Callable[[Path], object]


def removed(path: Path) -> None:
    shutil.rmtree(path) if path.is_dir() else path.unlink()


def a_folder(path: Path) -> None:
    removed(path)
    path.mkdir()
    (path / "mine").touch()


def a_file(path: Path) -> None:
    removed(path)
    path.write_text("x: 1")


def a_pipe(path: Path) -> None:
    removed(path)
    os.mkfifo(path)


def endless(path: Path) -> None:
    removed(path)
    path.symlink_to("/dev/zero")


def a_link(path: Path) -> None:
    """To the very same, somewhere else."""
    away = path.parents[4] / "away"
    shutil.move(path, away)
    path.symlink_to(away)


def a_loop(path: Path) -> None:
    removed(path)
    path.symlink_to(path.name)


def changed(path: Path) -> None:
    path.write_bytes(path.read_bytes() + b"x: 1\n")


def stray(name: str) -> Damage:
    return lambda cell: (cell / name).write_text("mine")


def naming(file: str) -> Damage:
    """Stages that list a file outside of the cell, with its digest."""

    def damage(cell: Path) -> None:
        text = (cell / "stages.json").read_text().replace('"training.csv"', json.dumps(file))
        stages = {k: v for k, v in json.loads(text).items() if k != "digest"}
        (cell / "stages.json").write_text(json.dumps(with_digest(stages)))
        (cell / "record.json").unlink()

    return damage


def of(damage: Callable[[Path], object], name: str) -> Damage:
    return lambda cell: damage(cell / name)


KINDS = (removed, a_folder, a_file, a_pipe, endless, a_link, a_loop, changed)
DAMAGE: dict[str, Damage] = {
    **{f"{name}, {kind.__name__}": of(kind, name) for name in NAMES for kind in KINDS},
    **{f"checkpoint, {k.__name__}": of(k, "checkpoint") for k in (removed, a_file, a_pipe, a_link)},
    **{f"a stray {name}": stray(name) for name in ("checkpoint/x.pt", "judge.parquet", ".train-x")},
    "a draft that is a link": lambda cell: (cell / ".draft-x").symlink_to(cell.parent),
    "a lock that is a folder": of(a_folder, ".lock"),
    "a lock that is a folder, a record that is lost": lambda cell: (
        a_folder(cell / ".lock"),
        removed(cell / "record.json"),
    ),
    "a count in the stages": lambda cell: (cell / "stages.json").write_text(
        (cell / "stages.json").read_text().replace('"n_failed": 0', '"n_failed": 1')
    ),
    **{f"stages that name {file}": naming(file) for file in ("/dev/zero", "../../../pipe", "")},
}


@pytest.fixture(scope="module")
def finished(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("finished")
    run_cell(folder, CELL)
    return folder


@pytest.fixture(autouse=True)
def _waits_for_nothing(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    def late(*args: object) -> None:
        raise TimeoutError("waited for a pipe or a device")

    monkeypatch.setattr(gc, "collect", lambda: 0)
    before = signal.signal(signal.SIGALRM, late)
    signal.alarm(30)
    yield
    signal.alarm(0)
    signal.signal(signal.SIGALRM, before)


@pytest.mark.parametrize("name", DAMAGE)
def test_the_remedy_helps(finished: Path, tmp_path: Path, name: str) -> None:
    sweep = Path(shutil.copytree(finished, tmp_path / "sweep"))
    os.mkfifo(sweep / "pipe")
    cell = cell_folder(sweep, CELL)
    expected = contents(cell)
    DAMAGE[name](cell)
    (found,) = validate(cell)
    for remedy in found.remedies or ["run the cell again"]:
        if not remedy.startswith("remove "):
            assert "run the cell again" in remedy
            assert run_cell(sweep, CELL)["status"] == "ok"
        elif os.path.lexists(stranger := cell / remedy.removeprefix("remove ")):
            stranger.unlink()
    (repaired,) = validate(cell)
    assert repaired.line == "trusted" or repaired.line.startswith("trusted, with notes: made "), (
        name
    )
    assert contents(cell) == expected
    assert (sweep / "pipe").exists()  # files outside of the cell are not removed


def test_a_link_is_removed_and_what_it_leads_to_stays(finished: Path, tmp_path: Path) -> None:
    sweep = Path(shutil.copytree(finished, tmp_path / "sweep"))
    cell = cell_folder(sweep, CELL)
    a_link(cell / "checkpoint")
    before = sorted((tmp_path / "away").iterdir())
    run_cell(sweep, CELL)
    assert not (cell / "checkpoint").is_symlink()
    assert sorted((tmp_path / "away").iterdir()) == before != []
