"""Files damaged after they were written are detected by digest, reported, and made again."""

import gc
import json
from collections.abc import Callable
from pathlib import Path

import pytest
from dying import Death
from small_cells import cell_folder, contents, run_cell
from small_model import write_model

from paretosteer.cells import evaluation
from paretosteer.cells.cell import read_cell
from paretosteer.cells.record import read_record
from paretosteer.cells.state import State
from paretosteer.storage import untrusted

CELL = ("method=clp", "preferences.divisions=4")


def cut(path: Path) -> None:
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])


def flip(path: Path) -> None:
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(bytes(content))


def remove(path: Path) -> None:
    path.unlink()


def empty(path: Path) -> None:
    path.write_bytes(b"")


@pytest.fixture(autouse=True)
def _small(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(evaluation, "MOST", 4)
    monkeypatch.setattr(gc, "collect", lambda: 0)


@pytest.fixture
def cell(tmp_path: Path) -> Path:
    run_cell(tmp_path, *CELL)
    return cell_folder(tmp_path, *CELL)


@pytest.mark.parametrize("damage", [cut, flip, remove, empty])
@pytest.mark.parametrize(
    ("file", "stage"),
    [
        ("checkpoint/policy.safetensors", "train"),
        ("checkpoint/method.json", "train"),
        ("training.csv", "train"),
        ("drift.parquet", "sample"),
        ("scores.parquet", "score"),
    ],
)
def test_a_damaged_file_is_made_again(
    cell: Path,
    tmp_path: Path,
    file: str,
    stage: str,
    damage: Callable[[Path], None],
    capfd: pytest.CaptureFixture[str],
) -> None:
    expected = contents(cell)
    damage(cell / file)
    assert run_cell(tmp_path, *CELL)["status"] == "ok"
    told = capfd.readouterr().err
    assert f"{file} is missing or damaged, stage {stage!r} runs again" in told
    assert contents(cell) == expected
    assert ("sampling" in told.split("done again")[-1]) is (stage != "score")


@pytest.mark.parametrize("damage", [cut, flip, remove, empty])
def test_damaged_texts_are_written_again(
    tmp_path: Path, damage: Callable[[Path], None], capfd: pytest.CaptureFixture[str]
) -> None:
    model = write_model(tmp_path / "model")
    text = ("benchmark=stories", "method=start", "model=hf", f"model.path={model}")
    run_cell(tmp_path / "cells", *text)
    cell = cell_folder(tmp_path / "cells", *text)
    expected = contents(cell)
    damage(cell / "samples.jsonl")
    assert run_cell(tmp_path / "cells", *text)["status"] == "ok"
    told = capfd.readouterr().err
    assert "samples.jsonl is missing or damaged, stage 'sample' runs again" in told
    assert contents(cell) == expected


@pytest.mark.parametrize("damage", [cut, remove, empty])
def test_a_damaged_record_is_written_again_from_the_stages(
    cell: Path, tmp_path: Path, damage: Callable[[Path], None], capfd: pytest.CaptureFixture[str]
) -> None:
    before = read_record(cell)
    damage(cell / "record.json")
    assert read_cell(cell).status in {"missing", "unreadable"}
    capfd.readouterr()
    run_cell(tmp_path, *CELL)
    told = capfd.readouterr().err
    assert "sampling" not in told and "training is finished, not repeated" in told
    assert ("record.json: cannot be read" in told) is (damage is not remove)
    assert ("written again" in told) is (damage is not remove)
    after, when = read_record(cell), {"created": "", "digest": ""}
    assert after.model_copy(update=when) == before.model_copy(update=when)


def test_a_record_that_was_changed_is_written_again(
    cell: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    text = (cell / "record.json").read_text()
    kappa = json.loads(text)["kl_coefficient"]
    changed = text.replace(f'"kl_coefficient": {kappa}', '"kl_coefficient": 0')
    (cell / "record.json").write_text(changed)
    assert read_cell(cell).status == "unreadable"
    assert run_cell(tmp_path, *CELL)["status"] == "ok"
    told = capfd.readouterr().err
    assert "was changed after it was written (its digest differs)" in told
    assert read_record(cell).kl_coefficient == kappa


@pytest.mark.parametrize("text", ["", "{", "[]", '{"train": 1}', '{"train": {"digest": "0"}}'])
def test_damaged_stages_are_all_done_again(
    cell: Path, tmp_path: Path, text: str, capfd: pytest.CaptureFixture[str]
) -> None:
    expected = contents(cell)
    (cell / "stages.json").write_text(text)
    assert run_cell(tmp_path, *CELL)["status"] == "ok"
    assert "stages.json is damaged, every stage runs again" in capfd.readouterr().err
    assert contents(cell) == expected
    assert set(State(cell).stages) == {"train", "sample", "score"}


def test_the_files_of_a_cell_are_read_once_when_it_is_taken_up(
    cell: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """They may be large."""
    (cell / "record.json").unlink()
    read: list[str] = []
    digest = untrusted.digest

    def counted(folder: Path, name: str) -> str:
        read.append(name)
        return digest(folder, name)

    monkeypatch.setattr(untrusted, "digest", counted)
    run_cell(tmp_path, *CELL)
    assert "checkpoint/policy.safetensors" in read and len(read) == len(set(read))


@pytest.mark.parametrize("damage", [cut, flip, empty])
@pytest.mark.parametrize("stage", ["train", "sample", "score"])
def test_a_damaged_piece_of_an_unfinished_stage_is_made_again(
    tmp_path: Path,
    stage: str,
    damage: Callable[[Path], None],
    monkeypatch: pytest.MonkeyPatch,
    capfd: pytest.CaptureFixture[str],
) -> None:
    whole = tmp_path / "whole"
    run_cell(whole, *CELL)
    died = tmp_path / "died"
    with monkeypatch.context() as patch, pytest.raises(Death):
        patch.setattr("paretosteer.cells.runner.CellRun.finish", _dies_in(stage))
        run_cell(died, *CELL)
    cell = cell_folder(died, *CELL)
    pieces = sorted(next(cell.glob(f".{stage}-*")).iterdir())
    damage(pieces[0])
    assert run_cell(died, *CELL)["status"] == "ok"
    assert f"{pieces[0].name}: damaged, not used" in capfd.readouterr().err
    assert contents(cell) == contents(cell_folder(whole, *CELL))


def _dies_in(stage: str) -> Callable[..., None]:
    from paretosteer.cells.runner import CellRun

    finish = CellRun.finish

    def finish_or_die(self: CellRun, name: str, *rest: object) -> None:
        if name == stage:
            raise Death
        finish(self, name, *rest)  # type: ignore[arg-type]

    return finish_or_die
