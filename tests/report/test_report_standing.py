"""Significance of differences: pairs, ranks and groups of ties, on constructed cases."""

import json
import re
from pathlib import Path

import pandas as pd
import pytest
from report_cells import GRID, moved, only, write_cell, write_folds, write_missing

from paretosteer import leaderboard
from paretosteer.report import write_report
from paretosteer.report.columns import CONTROLLABILITY, HYPERVOLUME
from paretosteer.report.outputs.leaderboard import leaderboard_frame
from paretosteer.report.outputs.notes import notes


def write_line(
    sweep: Path, method: str, by: float, seeds: int = 1, exempt: bool = False, noise: float = 0.4
) -> None:
    for seed in range(seeds):
        changes = {"exempt": exempt}
        write_cell(
            sweep, method, moved(by), grid=GRID, noise=noise, seed=seed, prompts=40, changes=changes
        )


@pytest.fixture(scope="module")
def sweep(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two that are close, one in between two, one far behind, and an exempt one ahead."""
    folder = tmp_path_factory.mktemp("standing")
    for method, by in (("bone_soup", 0.5), ("clp", 0.48), ("start", -1.0)):
        write_line(folder, method, by)
    write_line(folder, "morl", 1.5, exempt=True)
    return folder


def test_pairs(sweep: Path) -> None:
    found = {(each.a, each.b): each for each in only(sweep).pairs}
    assert len(found) == 6
    close = found[("bone_soup", "clp")]
    assert close.low < 0 < close.high
    assert 0.05 < close.p <= close.p_holm and not close.separated
    assert 0.05 < close.p_beats < 0.95
    for pair in (("morl", "bone_soup"), ("morl", "start"), ("clp", "start")):
        far = found[pair]
        assert far.separated and 0 < far.low < far.difference < far.high
        assert far.p < far.p_holm < 0.05
        assert far.p_beats == 1


def test_ranks_and_ties_are_of_those_that_compete(sweep: Path) -> None:
    board = leaderboard(sweep).set_index("label")
    standing = board[["rank", "rank_low", "rank_high", "tie_group"]]
    assert standing.loc["bone_soup"].tolist() == [1, 1, 2, "a"]
    assert standing.loc["clp"].tolist() == [2, 1, 2, "a"]
    assert standing.loc["start"].tolist() == [3, 3, 3, "b"]
    assert standing.loc["morl"].isna().all()
    assert only(sweep).tied == {"clp"}


def test_the_report_says_so(sweep: Path, tmp_path: Path) -> None:
    report = write_report([sweep], out=tmp_path / "out")
    tex = (report.folder / "leaderboard.tex").read_text()
    assert tex.count(r"\underline{") == 1
    (line,) = [each for each in tex.splitlines() if r"\underline{" in each]
    assert line.strip().startswith(r"clp & \underline{")
    assert "Underlined: not significantly different from the best." in tex
    assert "| 2 \\[1, 2\\] | a |" in (report.folder / "leaderboard.md").read_text()
    (table,) = json.loads((report.folder / "report.json").read_text())["tables"]
    assert set(table["pairs"][0]) == {
        *("a", "b", "p_beats", "difference", "low", "high", "p", "p_holm", "separated")
    }
    assert "6 pairs, Holm's correction at 5 %" in " ".join(table["notes"])


def test_the_same_row_twice_is_tied(tmp_path: Path) -> None:
    for method in ("clp", "morl"):
        write_line(tmp_path, method, 0, noise=0)
    result = only(tmp_path)
    (pair,) = result.pairs
    assert (pair.p_beats, pair.difference, pair.p, pair.separated) == (0.5, 0, 1, False)
    board = leaderboard_frame([result])
    assert board["rank"].tolist() == board["rank_high"].tolist() == [1, 1]
    assert board["tie_group"].tolist() == ["a", "a"]


def test_one_row_needs_no_pairs(tmp_path: Path) -> None:
    write_line(tmp_path, "clp", 0)
    result = only(tmp_path)
    assert result.pairs == () and result.tied == set()
    assert result.rows[0].figures["rank"] == 1
    assert "Ties" not in " ".join(notes(result))


def test_many_rows_can_be_told_apart(tmp_path: Path) -> None:
    """Holm over 66 pairs asks for p-values that 2,000 resamples cannot show."""
    for place in range(12):
        write_line(tmp_path, f"method{place:02d}", 0.5 * place)
    result = only(tmp_path)
    assert len(result.pairs) == 66 and all(each.separated for each in result.pairs)


def test_pairs_share_replicates(tmp_path: Path) -> None:
    write_folds(tmp_path, "clp", {1: 0, 2: 1})
    write_folds(tmp_path, "morl", {3: 0})
    result = only(tmp_path)
    assert result.pairs == ()
    assert pd.isna(leaderboard(tmp_path)["hypervolume_behind"]).all()


def test_too_few_replicates_in_common_are_no_pair(tmp_path: Path) -> None:
    write_line(tmp_path, "clp", 0, seeds=5)
    for seed in range(3, 8):
        write_cell(tmp_path, "morl", moved(1), grid=GRID, prompts=40, seed=seed)
    result = only(tmp_path)
    assert result.outer and result.pairs == ()
    assert "hypervolume_behind" not in result.rows[1].figures


def summary(folder: Path) -> str:
    """The sentences at the top of the page, as one line of words."""
    page = write_report([folder]).page.read_text()
    top = page[page.index('<p class="lead">') : page.index('<a href="#cells">')]
    return " ".join(re.sub(r"<[^>]+>|&nbsp;", " ", top).split())


def test_one_row_is_no_comparison(tmp_path: Path) -> None:
    write_line(tmp_path, "clp", 0)
    write_line(tmp_path, "morl", 1.5, exempt=True)
    write_missing(tmp_path, "bone_soup")
    told = summary(tmp_path)
    assert "No comparison yet. clp , with hypervolume" in told and "largest" not in told
    page = (tmp_path / "report" / "index.html").read_text()
    assert "2 configurations" in page[: page.index("</title>")]
    _, _, box = page.partition("<h4>Not compared</h4>")
    box = box[: box.index("</aside>")]
    assert "not a competitor (morl)" in box and "bone_soup (missing)" in box
    assert "Best at each preference" not in page


def test_equal_rows_are_tied_for_the_first_rank(tmp_path: Path) -> None:
    for method in ("clp", "merge"):
        write_line(tmp_path, method, 0, noise=0)
    told = summary(tmp_path)
    assert "clp and merge are tied with the largest hypervolume" in told and "lead" not in told


def test_bold_is_neither_the_start_model_nor_what_most_rows_share(tmp_path: Path) -> None:
    costless = {"cost": {"train_steps": 0, "reward_calls_per_answer": 0}}
    for folder, by, bold in (
        (tmp_path / "behind", 0.1, {"bone_soup"}),
        (tmp_path / "ahead", 1, set()),
    ):
        for method, reach in (("bone_soup", 0.5), ("clp", 0.3)):
            write_line(folder, method, reach, noise=0)
        write_cell(folder, "start", moved(by), grid=GRID, prompts=40, changes=costless)
        result = only(folder)
        assert result.best(HYPERVOLUME) == bold
        assert len({each.figures["controllability"] for each in result.rows}) == 1
        assert result.best(CONTROLLABILITY) == set()
