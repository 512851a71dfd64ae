import json
from pathlib import Path
from typing import Any

import pytest

from paretosteer.benchmarks.bandit.benchmark import Bandit
from paretosteer.cells.record import RECORDS, read_record, write_record
from paretosteer.errors import UsageError
from paretosteer.storage.atomic import atomic_write, write_json
from paretosteer.storage.digest import with_digest
from paretosteer.sweeps.compose import compose_cell
from paretosteer.sweeps.sweep import PlannedCell, run_one

FAILED: dict[str, Any] = {
    "schema": 1,
    "status": "failed",
    "error": {"type": "DivergenceError", "message": "loss is NaN", "stage": "train"},
    "identity": "0123456789",
    "benchmark": {"name": "stories", "version": "1"},
    "method": "clp",
    "variant": "full",
    "seed": 0,
    "config": {},
    "command": "paretosteer run",
    "stages": {},
    "created": "2030-01-01T00:00:00+00:00",
    "versions": {},
    "git": {"commit": None, "dirty": None},
    "source_digest": "0" * 64,
}


def test_a_record_comes_back(tmp_path: Path) -> None:
    write_record(tmp_path, FAILED)
    assert read_record(tmp_path) == write_record(tmp_path, FAILED)
    assert read_record(tmp_path).as_dict() == with_digest(FAILED)
    assert json.loads((tmp_path / "record.json").read_text()) == with_digest(FAILED)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"seed": -1}, "seed: should be greater than or equal to 0, found -1"),
        ({"identity": "xyz"}, "identity: String should match pattern .*, found 'xyz'"),
        ({"error": None}, "error: should be a valid dictionary.*, found None"),
        ({"schema": 2}, "schema: should be 1, found 2"),
        ({"status": "ok"}, "model: missing"),
    ],
)
def test_a_record_that_breaks_the_schema_is_not_written(
    tmp_path: Path, change: dict[str, Any], message: str
) -> None:
    with pytest.raises(ValueError, match=message):
        write_record(tmp_path, FAILED | change)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (None, "no record.json; the cell never finished, run it again"),
        ("{", "cannot be read"),
        ('{"config":' * 100_000, "cannot be read .is nested too deeply."),
        (r'"\ud800"', "cannot be read"),
        ("[]", "not a valid record"),
        (json.dumps(FAILED | {"schema": 2}), "schema: should be 1, found 2"),
        (json.dumps(FAILED), "digest: missing"),
    ],
)
def test_what_is_no_record_is_said(tmp_path: Path, text: str | None, message: str) -> None:
    if text is not None:
        (tmp_path / "record.json").write_text(text)
    with pytest.raises(UsageError, match=message):
        read_record(tmp_path)


def test_every_field_is_described() -> None:
    parts = RECORDS.json_schema()["$defs"]
    fields = [(part, name) for part, each in parts.items() for name in each["properties"]]
    assert len(fields) > 80
    assert all("description" in parts[part]["properties"][name] for part, name in fields)


def test_what_was_right_in_one_record_hides_no_fault_of_the_next(tmp_path: Path) -> None:
    write_record(tmp_path, FAILED)
    for change in ({"seed": True}, {"stages": {"train": "x"}}, {"unknown": 1}):
        (tmp_path / "record.json").write_text(json.dumps(FAILED | change))
        with pytest.raises(UsageError, match="not a valid record"):
            read_record(tmp_path)
    (tmp_path / "record.json").write_text(json.dumps({**FAILED, "command": None}))
    with pytest.raises(UsageError, match="command: should be a valid string, found None"):
        read_record(tmp_path)


def test_nan_is_refused_and_the_old_file_stays(tmp_path: Path) -> None:
    path = tmp_path / "deep" / "figures.json"
    write_json(path, {"a": 1.5})
    with pytest.raises(ValueError, match="not JSON compliant"):
        write_json(path, {"a": float("nan")})
    assert json.loads(path.read_text()) == {"a": 1.5}


def test_an_interrupted_write_leaves_nothing(tmp_path: Path) -> None:
    path = tmp_path / "scores.parquet"
    with pytest.raises(KeyboardInterrupt), atomic_write(path) as temporary:
        assert temporary.suffix == ".parquet"
        temporary.write_text("half")
        raise KeyboardInterrupt
    assert list(tmp_path.iterdir()) == []


def test_what_was_cut_is_still_noted_after_a_resumption(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The counts are those of the process that scored."""
    cell = compose_cell(
        ["benchmark=bandit", "method=start", "budget=smoke", f"sweep_dir={tmp_path}"]
    )
    cut = "good: 1 of 2 texts exceeded the 5 tokens"
    monkeypatch.setattr(Bandit, "scoring_notes", [cut])
    first = run_one(PlannedCell.of(cell))
    (cell.folder / f"seed0-{first.identity}" / "record.json").unlink()
    monkeypatch.setattr(Bandit, "scoring_notes", [])
    assert run_one(PlannedCell.of(cell)).notes.count(cut) == 1
