"""What the repository shows: valid records, and figures and a page as today's code makes them."""

import re
from pathlib import Path

import matplotlib.image
import numpy as np
import pandas as pd
import pytest
from keep_reference import CELLS, keep_report, unpack

from paretosteer.cells.record import read_record
from paretosteer.report import write_report
from paretosteer.report.outputs.csv_text import csv
from paretosteer.report.outputs.leaderboard import leaderboard
from paretosteer.report.page.assets import form_digest
from paretosteer.sweeps.compose import compose_sweep

REFERENCE = Path(__file__).parents[1] / "results" / "reference"
FIELD, SMOLLM2, QUICKSTART = (REFERENCE / each for each in ("field", "smollm2", "quickstart"))
RECORDS = {folder: sorted((folder / "records").iterdir()) for folder in (FIELD, SMOLLM2)}
MODEL = "model.path=SmolLM2-135M-Instruct.Q4_1.gguf"
PAIRS = [f"benchmark.pairs.{name}={name}.jsonl" for name in ("helpful", "harmless")]


@pytest.mark.parametrize(
    "folder", [each for found in RECORDS.values() for each in found], ids=lambda folder: folder.name
)
def test_every_record_is_valid_and_whole(folder: Path) -> None:
    record = read_record(folder)
    assert record.status == "ok"
    assert record.n_failed == 0
    assert folder.name == f"{record.method}-seed{record.seed}-{record.identity}"


@pytest.mark.parametrize(
    ("folder", "overrides"),
    [(FIELD, ["experiment=field"]), (SMOLLM2, ["experiment=smollm2", MODEL, *PAIRS])],
    ids=["field", "smollm2"],
)
def test_the_records_are_those_of_the_experiment(folder: Path, overrides: list[str]) -> None:
    cells = compose_sweep(overrides)
    records = [read_record(each) for each in RECORDS[folder]]
    expected = {(cell.method.name, cell.seed) for cell in cells}
    found = {(record.method, record.seed) for record in records}
    assert found == expected and len(records) == len(cells)


@pytest.mark.parametrize(("folder", "seeds"), [(FIELD, 3), (SMOLLM2, 1)])
def test_the_leaderboard_is_made_of_them(folder: Path, seeds: int) -> None:
    board = pd.read_csv(folder / "leaderboard.csv")
    assert set(board["method"]) == {read_record(each).method for each in RECORDS[folder]}
    assert (board["seeds"] == seeds).all() and (board["status"] == "ok").all()
    page = (folder / "index.html").read_text(encoding="utf-8")
    assert all(label in page for label in board["label"])


def size(folder: Path) -> int:
    return sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())


def test_they_are_small() -> None:
    assert size(SMOLLM2) < 5_000_000
    assert size(REFERENCE) - size(SMOLLM2) < 10_000_000


REMEDY = "`make reference-report` remakes it"


@pytest.mark.parametrize("folder", [FIELD, QUICKSTART, SMOLLM2], ids=lambda folder: folder.name)
def test_figures_are_those_of_todays_code(folder: Path, tmp_path: Path) -> None:
    today = tmp_path / "leaderboard.csv"
    today.write_text(csv(leaderboard(unpack(folder / CELLS, tmp_path))), encoding="utf-8")
    ours, theirs = (
        pd.read_csv(path).drop(columns="paths") for path in (folder / today.name, today)
    )
    pd.testing.assert_frame_equal(ours, theirs, rtol=1e-6, obj=f"{folder} ({REMEDY}): leaderboard")


@pytest.mark.figures
def test_the_picture_is_drawn_by_todays_code(tmp_path: Path) -> None:
    """Not to the pixel, since fonts and Matplotlib differ."""
    (tmp_path / CELLS).write_bytes((QUICKSTART / CELLS).read_bytes())
    keep_report(tmp_path, [])
    ours, theirs = (matplotlib.image.imread(each / "fronts.png") for each in (QUICKSTART, tmp_path))
    assert ours.shape == theirs.shape and np.abs(ours - theirs).mean() < 0.01, REMEDY


def sections(page: str) -> set[str]:
    """Headings and interactive parts of a page."""
    return set(re.findall(r"<h[23][^>]*>([^<]+)</h", page) + re.findall(r'data-part="(\w+)"', page))


@pytest.mark.parametrize("folder", [FIELD, SMOLLM2], ids=lambda folder: folder.name)
def test_the_page_is_of_todays_report(folder: Path, tmp_path: Path) -> None:
    page = (folder / "index.html").read_text(encoding="utf-8")
    assert f"paretosteer, page {form_digest()}" in page, REMEDY
    cells = unpack(QUICKSTART / CELLS, tmp_path)
    today = write_report([cells]).page.read_text(encoding="utf-8")
    named = {each for each in sections(today) if not each.startswith("Table ")}
    assert named <= sections(page), REMEDY
