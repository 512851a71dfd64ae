"""The reference leaderboard in the repository: its records are valid, and its size is small."""

from pathlib import Path

import pandas as pd
import pytest

from paretosteer.cells.record import read_record
from paretosteer.sweeps.compose import compose_sweep

REFERENCE = Path(__file__).parents[1] / "results" / "reference"
RECORDS = sorted((REFERENCE / "records").iterdir())


@pytest.mark.parametrize("folder", RECORDS, ids=lambda folder: folder.name)
def test_every_record_is_valid_and_whole(folder: Path) -> None:
    record = read_record(folder)
    assert record.status == "ok"
    assert record.n_failed == 0
    assert folder.name == f"{record.method}-seed{record.seed}-{record.identity}"


def test_the_records_are_those_of_the_experiment() -> None:
    cells = compose_sweep(["experiment=reference"])
    expected = {(cell.method.name, cell.seed) for cell in cells}
    found = {(record.method, record.seed) for record in map(read_record, RECORDS)}
    assert found == expected and len(RECORDS) == len(cells)


def test_the_leaderboard_is_made_of_them() -> None:
    board = pd.read_csv(REFERENCE / "leaderboard.csv")
    assert set(board["method"]) == {read_record(folder).method for folder in RECORDS}
    assert (board["seeds"] == 3).all() and (board["status"] == "ok").all()
    page = (REFERENCE / "index.html").read_text(encoding="utf-8")
    assert all(label in page for label in board["label"])


def test_it_is_small() -> None:
    size = sum(path.stat().st_size for path in REFERENCE.rglob("*") if path.is_file())
    assert size < 5_000_000
