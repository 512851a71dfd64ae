"""Many rows, many cells, many objectives: what is bounded says so, and what is estimated too."""

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from report_cells import GRID, moved, only, write_cell
from scale_cells import write_sweep, write_wide_cells

from paretosteer.report import print_leaderboard, write_report
from paretosteer.report.analysis import bootstrap
from paretosteer.report.analysis.drawn_rows import MOST, focus
from paretosteer.report.analysis.ranks import COMPARED
from paretosteer.report.outputs import console
from paretosteer.report.outputs.notes import notes
from paretosteer.report.page import cell_list

ROWS = COMPARED + 4


@pytest.fixture(scope="module")
def long_table(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """More rows than are compared with each other; the last method has one row, the worst."""
    folder = tmp_path_factory.mktemp("long")
    for place in range(ROWS - 1):
        write_cell(folder, "clp", moved(1 - place / 50), grid=GRID, prompts=3, place=place)
    write_cell(folder, "start", moved(-1), grid=GRID, prompts=3)
    return folder


@pytest.fixture
def few_resamples(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setattr(bootstrap, "RESAMPLES", 60)
    bootstrap._draw.cache_clear()
    yield
    bootstrap._draw.cache_clear()


def test_only_the_first_rows_are_compared_with_each_other(long_table: Path) -> None:
    result = only(long_table)
    best = result.rows[0].row.label
    later = [each.row.label for each in result.rows[COMPARED:]]
    assert len(result.pairs) == COMPARED * (COMPARED - 1) / 2 + len(later)
    assert {pair.b for pair in result.pairs if pair.a == best} >= set(later)
    assert ["tie_group" in each.figures for each in result.rows] == [True] * COMPARED + [False] * 4
    assert [each.figures["rank"] for each in result.rows] == list(range(1, ROWS + 1))
    assert any(f"Rows after the first {COMPARED}" in note for note in notes(result))


def test_the_best_of_every_method_is_drawn(long_table: Path) -> None:
    result = only(long_table)
    drawn = focus(result)
    assert len(drawn.rows) == MOST and drawn.rows[-1].row.method == "start"
    assert list(drawn.rows[:-1]) == list(result.rows[: MOST - 1])
    assert any(f"show {MOST} of the {ROWS} rows" in note for note in notes(result))


def test_the_page_shows_some_of_many_cells_and_says_so(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(cell_list, "_MOST_CELLS", 10)
    write_sweep(tmp_path, 60, variants=1, prompts=4)
    report = write_report([tmp_path])
    board, text = report.leaderboard, report.page.read_text(encoding="utf-8")
    assert (board["seeds"] == 12).all() and len(board) == 5 and report.counts == {"ok": 60}
    assert text.count("<dt>identity</dt>") == 10
    assert "10 of 60 cells: those not ok" in text


def test_a_terminal_shows_some_of_many_rows_and_says_so(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(console, "_MOST", 3)
    write_sweep(tmp_path, 20, variants=1, prompts=4)
    for record in sorted(tmp_path.rglob("record.json"))[:5]:
        record.unlink()
    report = write_report([tmp_path])
    print_leaderboard(report)
    text = capsys.readouterr().out
    table, _, _ = text.partition("and 2 more rows, all in leaderboard.csv\n")
    assert [label in table for label in report.leaderboard["label"]] == 3 * [True] + 2 * [False]
    assert text.count("missing: ") == 3 and "and 2 more cells that are not ok, all on" in text


@pytest.mark.slow
def test_hypervolume_out_of_exact_reach_states_its_error(
    tmp_path: Path, few_resamples: None, capsys: pytest.CaptureFixture[str]
) -> None:
    write_wide_cells(tmp_path, points=200, prompts=6)
    report = write_report([tmp_path])
    board = pd.read_csv(report.folder / "leaderboard.csv")
    assert (board["hypervolume_error"] > 0).all()
    assert (board["hypervolume_error"] < 0.02 * board["hypervolume"]).all()
    assert board["hypervolume_ratio"].between(0, 1).all()
    assert np.all(board["hypervolume_low"] < board["hypervolume"])
    print_leaderboard(report)
    written = [(report.folder / f"leaderboard.{form}").read_text() for form in ("md", "tex")]
    for text in (capsys.readouterr().out, report.page.read_text(encoding="utf-8"), *written):
        assert " ± " in text and "estimated for every row by Monte Carlo" in text
