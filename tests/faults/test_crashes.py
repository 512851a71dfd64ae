"""A cell that dies between any two of its file operations goes on and ends as if it had not."""

import gc
from pathlib import Path

import pytest
from dying import Death, watching
from small_cells import cell_folder, contents, names, run_cell

from paretosteer.cells import evaluation
from paretosteer.load import read_cell

FILES = {
    *("config.yaml", "checkpoint", "training.csv", "samples.jsonl", "drift.parquet"),
    *("scores.parquet", "stages.json", "record.json", ".lock"),
}


@pytest.fixture(autouse=True)
def _several_pieces(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(evaluation, "MOST", 4)  # rows: one point in each block
    monkeypatch.setattr(gc, "collect", lambda: 0)  # slow, in a process with so many tests


def test_a_crash_at_any_file_operation(tmp_path: Path) -> None:
    override = "method=clp"
    whole = tmp_path / "whole"
    with watching(whole) as undisturbed:
        assert run_cell(whole, override)["status"] == "ok"
    expected = contents(cell_folder(whole, override))
    assert len(undisturbed.changes) > 60
    for last, change in enumerate(undisturbed.changes):
        folder = tmp_path / str(last)
        with watching(folder, last), pytest.raises(Death):
            run_cell(folder, override)
        cell = cell_folder(folder, override)
        assert not cell.exists() or read_cell(cell).status in {"missing", "ok"}, change
        assert run_cell(folder, override)["status"] == "ok", change
        assert contents(cell) == expected, change
        assert names(cell) == FILES, change
