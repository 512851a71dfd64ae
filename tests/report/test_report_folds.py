"""Cross-validation folds and seeds are replicates: one row, one table, the mean over them.

By hand, three preferences, reference −2: points (2, 0), (1, 1), (0, 2) have a hypervolume of 13;
moved by d in both objectives, (2 + d) · (4 + d) + (3 + d) + (2 + d).
"""

import json
import shutil
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from report_cells import (
    GRID,
    digest,
    moved,
    only,
    width,
    write_cell,
    write_folds,
    write_missing,
    write_unscored,
)

from paretosteer import leaderboard
from paretosteer.cells import frames
from paretosteer.cells.cell import find_cells
from paretosteer.report import print_leaderboard, write_report
from paretosteer.report.analysis.evaluate_table import evaluate
from paretosteer.report.analysis.tables import Tables, make_tables
from paretosteer.report.outputs.notes import notes
from paretosteer.report.outputs.text_tables import apart, headline
from paretosteer.storage.digest import with_digest

VOLUMES = [13, 3 * 5 + 4 + 3, 4 * 6 + 5 + 4]  # moved by 0, 1 and 2


def tables(folder: Path) -> Tables:
    return make_tables(find_cells(folder))


def test_folds_make_one_row_and_their_mean(tmp_path: Path) -> None:
    write_folds(tmp_path, "clp", {1: 0, 2: 1, 3: 2})
    (row,) = leaderboard(tmp_path).to_dict(orient="records")
    assert row["hypervolume"] == pytest.approx(sum(VOLUMES) / 3)
    assert (row["seeds"], row["folds"], row["cells"], row["replicates"]) == (1, 3, 3, 3)
    assert (row["seed_list"], row["fold_list"]) == ("0", "1 2 3")
    assert (row["label"], row["status"]) == ("clp", "ok")
    assert row["n_total"] == 3 * (7 + 10 + 13)
    assert width(row) == 0  # prompts only, and those do not vary


def test_each_fold_has_its_own_front(tmp_path: Path) -> None:
    write_folds(tmp_path, "clp", {1: 0, 2: 1, 3: 2})
    write_folds(tmp_path, "morl", {1: 1, 2: 0, 3: 2})
    for _, row in leaderboard(tmp_path).iterrows():
        # Best in one fold, second in another, both best in the third.
        assert row["hypervolume_ratio"] == pytest.approx((1 + 13 / 22 + 1) / 3)
        assert row["utility_loss"] == pytest.approx(1 / 3)
        assert row["contribution"] == pytest.approx((22 - 13) / 3)
        assert row["contribution_points"] == 3 + 3
        assert row["hypervolume"] == pytest.approx(sum(VOLUMES) / 3)


def test_folds_and_seeds_together(tmp_path: Path) -> None:
    for seed in (0, 1):  # the second is 0.05 further
        write_folds(tmp_path, "clp", {1: 0, 2: 1}, seed=seed)
    (row,) = leaderboard(tmp_path).to_dict(orient="records")
    further = (2.05 * 4.05 + 3.05 + 2.05) + (3.05 * 5.05 + 4.05 + 3.05)
    assert row["hypervolume"] == pytest.approx((13 + 22 + further) / 4)
    assert (row["seeds"], row["folds"], row["replicates"]) == (2, 2, 4)
    assert "fewer than five folds" in " ".join(notes(only(tmp_path)))


def test_words_for_folds(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    write_folds(tmp_path, "clp", {1: 0, 2: 1, 3: 2})
    result = only(tmp_path)
    assert f"30 test prompts in 3 folds ({digest('family')[:8]})" in headline(result)
    assert (
        "With fewer than five folds they do not cover the variance between folds"
        in notes(result)[0]
    )
    report = write_report([tmp_path])
    page = report.page.read_text()
    for told in (
        ">3 of 3: folds 1–3, seed 0</td>",
        "seed 0, fold 2",
        "Mean over folds",
        "small dots single folds",
    ):
        assert told in page
    assert "| Folds | Seeds | Status |" in (report.folder / "leaderboard.md").read_text()
    (table,) = json.loads((report.folder / "report.json").read_text())["tables"]
    assert [each["fold"] for each in table["rows"][0]["replicates"]] == [1, 2, 3]
    volumes = [each["hypervolume"] for each in table["rows"][0]["replicates"]]
    assert volumes == pytest.approx(VOLUMES)
    assert table["setting"]["folds"]["found"] == [1, 2, 3]
    print_leaderboard(report)
    assert "folds" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        ({"model": {"digest": digest("other")}}, "start model and data"),
        ({"normaliser": {"mean": [0.3, 0.3]}}, "normaliser mean"),
        ({"prompts": {"digest": digest("other")}}, "test prompts"),
    ],
)
def test_a_fold_measured_in_two_ways_keeps_the_family_apart(
    tmp_path: Path, changes: dict[str, Any], told: str
) -> None:
    write_folds(tmp_path, "clp", {1: 0, 2: 0})
    write_cell(
        tmp_path, "morl", moved(0), grid=GRID, noise=0, prompts=10, fold=(2, 3), changes=changes
    )
    found = tables(tmp_path).tables
    assert len(found) == 3
    results = [evaluate(table) for table in found]
    for result in results:
        assert f"Folds are not pooled: cells of fold 2 differ in {told}." in notes(result)[0]
    words = apart(results)
    assert sum("cross-validation fold 2 of 3" in text for text in words.values()) == 2


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        (
            {"fold": {"family": digest("else")}},
            f"cross-validation folds 1–2 of 3 ({digest('else')[:8]})",
        ),
        ({"benchmark": {"version": "2"}}, "benchmark version 2"),
        ({"reference": [-2.0, -1.0]}, "reference (−2, −1)"),
        ({"dtype": "bfloat16"}, "precision bfloat16"),
        ({"kl_coefficient": 0.1}, "KL coefficient 0.1"),
    ],
)
def test_families_that_share_less_have_tables_of_their_own(
    tmp_path: Path, changes: dict[str, Any], told: str
) -> None:
    write_folds(tmp_path, "clp", {1: 0, 2: 0})
    write_folds(tmp_path, "morl", {1: 0, 2: 0}, changes=changes)
    found = tables(tmp_path).tables
    assert [len(table.rows) for table in found] == [1, 1]
    assert any(told in text for text in apart([evaluate(table) for table in found]).values())


def test_a_benchmark_with_folds_beside_one_without(tmp_path: Path) -> None:
    write_folds(tmp_path, "clp", {1: 0, 2: 0})
    write_cell(tmp_path, "clp", moved(0), grid=GRID)
    words = apart([evaluate(table) for table in tables(tmp_path).tables])
    assert "cross-validation none" in words[1] + words[2]
    assert "normaliser mean different for each fold" in words[1] + words[2]


def test_a_row_without_one_of_the_folds(tmp_path: Path) -> None:
    write_folds(tmp_path, "clp", {1: 2, 2: 2, 3: 2})
    write_folds(tmp_path, "morl", {1: 1, 3: 1})
    result = only(tmp_path)
    told = " ".join(notes(result))
    assert "morl: lacks fold 2, so its means cover other test prompts" in told
    assert "clp: lacks" not in told
    behind = result.rows[1].figures
    assert behind["hypervolume"] == pytest.approx(VOLUMES[1])
    assert behind["hypervolume_behind"] == pytest.approx(VOLUMES[2] - VOLUMES[1])


def test_behind_is_over_what_both_have(tmp_path: Path) -> None:
    write_folds(tmp_path, "clp", {1: 1, 2: 2, 3: 2})
    write_folds(tmp_path, "morl", {1: 0})
    write_folds(tmp_path, "bone_soup", {2: 0})
    board = leaderboard(tmp_path).set_index("method")["hypervolume_behind"]
    assert pd.isna(board["clp"])
    assert board["morl"] == pytest.approx(VOLUMES[1] - VOLUMES[0])  # in fold 1 alone
    assert board["bone_soup"] == pytest.approx(VOLUMES[2] - VOLUMES[0])


def test_folds_that_weigh_unequally(tmp_path: Path) -> None:
    write_folds(tmp_path, "clp", {1: 0, 2: 0})
    write_folds(tmp_path, "clp", {1: 0}, seed=1)
    assert "clp: has more seeds in some folds than in others" in " ".join(notes(only(tmp_path)))


def test_folds_are_paired_between_rows(tmp_path: Path) -> None:
    noisy = write_folds(tmp_path, "clp", {1: 1, 2: 1, 3: 1}, noise=1.0)
    same = write_folds(tmp_path, "morl", {1: 1, 2: 1, 3: 1}, noise=1.0)
    for one, other in zip(noisy, same, strict=True):
        shutil.copy(one / "scores.parquet", other / "scores.parquet")
    first, second = leaderboard(tmp_path).to_dict(orient="records")
    assert width(first) > 0.1
    assert width(first) == width(second)
    assert second["hypervolume_behind"] == 0
    assert width(second, "hypervolume_behind") == pytest.approx(0, abs=1e-9)


def test_pairing_tells_apart_what_single_intervals_do_not(tmp_path: Path) -> None:
    paths = write_folds(tmp_path, "clp", {1: 1, 2: 1, 3: 1}, noise=1.0)
    behind = write_folds(tmp_path, "morl", {1: 1, 2: 1, 3: 1}, noise=1.0)
    for one, other in zip(paths, behind, strict=True):
        scores = pd.read_parquet(one / "scores.parquet")
        columns = ["sentiment", "variety"]
        scores[columns] = scores[columns] - 0.02
        scores.to_parquet(other / "scores.parquet")
    best, row = leaderboard(tmp_path).to_dict(orient="records")
    assert best["hypervolume_low"] < row["hypervolume"]
    assert row["hypervolume_behind_low"] > 0


def test_missing_and_failed_folds(tmp_path: Path) -> None:
    write_folds(tmp_path, "clp", {1: 0, 2: 1})
    missing = write_missing(tmp_path, "clp")
    config = json.loads((missing / "config.yaml").read_text())
    config["benchmark"]["fold"] = 3
    (missing / "config.yaml").write_text(json.dumps(config))
    (row,) = leaderboard(tmp_path).to_dict(orient="records")
    assert (row["status"], row["cells"], row["replicates"]) == ("partial", 3, 2)
    told = " ".join(notes(only(tmp_path)))
    assert "clp: figures cover 2 of 3 folds" in told


def test_a_failed_fold_of_another_family_is_not_in_the_row(tmp_path: Path) -> None:
    write_folds(tmp_path, "clp", {1: 0, 2: 1})
    error = {"type": "ValueError", "message": "no", "stage": "train"}
    other = {"index": 3, "of": 3, "family": digest("else")}
    write_unscored(tmp_path, "clp", "failed", error=error, fold=other)
    assert leaderboard(tmp_path)["status"].tolist() == ["ok", "failed"]


def test_a_fold_done_twice_counts_once(tmp_path: Path) -> None:
    (old, _) = write_folds(tmp_path / "a", "clp", {1: 0, 2: 0})
    (new,) = write_folds(tmp_path / "b", "clp", {1: 2}, changes={"created": "2025-06-01T00:00:00Z"})
    found = tables(tmp_path)
    (row,) = found.tables[0].rows
    assert found.superseded == {old: new}
    assert [replicate.key for replicate in row.replicates] == [(1, 0), (2, 0)]


def test_a_benchmark_that_has_folds_of_its_data_but_not_here(tmp_path: Path) -> None:
    whole = {"config": {"benchmark": {"name": "stories", "fold": 1}}}  # no fold in the record
    error = {"type": "ValueError", "message": "no", "stage": "train"}
    write_cell(tmp_path / "a", "clp", moved(0), grid=GRID, noise=0, changes=whole)
    failed = write_unscored(tmp_path / "b", "clp", "failed", error=error)
    record = json.loads((failed / "record.json").read_text())
    record["config"] |= whole["config"]
    (failed / "record.json").write_text(json.dumps(with_digest(record)))
    (row,) = leaderboard(tmp_path).to_dict(orient="records")
    assert (row["status"], row["seeds"], row["fold_list"]) == ("ok", 1, "")  # made good
    assert pd.isna(row["folds"])
    assert frames.load_points(tmp_path)["fold"].isna().all()


def test_a_fold_beyond_the_last_is_unreadable(tmp_path: Path) -> None:
    write_cell(tmp_path, "clp", moved(0), fold=(4, 3))
    (cell,) = tables(tmp_path).cells
    assert "fold.index is 4 of 3" in cell.reason


def test_one_fold_alone(tmp_path: Path) -> None:
    write_folds(tmp_path, "clp", {2: 1})
    assert "10 test prompts in fold 2 of 3" in headline(only(tmp_path))


def test_frames_tell_folds_apart(tmp_path: Path) -> None:
    write_folds(tmp_path, "clp", {1: 0, 2: 0})
    write_cell(tmp_path, "morl", moved(0), grid=GRID)
    cells = frames.load_cells(tmp_path)
    assert cells.groupby("method")["fold"].nunique().to_dict() == {"clp": 2, "morl": 0}
    assert set(frames.load_points(tmp_path)["fold"].dropna()) == {1, 2}


def test_oracles_of_folds(tmp_path: Path) -> None:
    for index in (1, 2):

        def best(mu: Any, index: int = index) -> Any:
            return 2 * mu + index

        write_cell(tmp_path, "clp", moved(0), grid=GRID, noise=0, fold=(index, 2), oracle=best)
    row = leaderboard(tmp_path).iloc[0]
    # Utilities are 2, 1, 2 of 3, 2, 3 in the first fold and of 4, 3, 4 in the second.
    first, second = (1 / 3 + 1 / 2 + 1 / 3) / 3, (2 / 4 + 2 / 3 + 2 / 4) / 3
    assert row["oracle_regret"] == pytest.approx((first + second) / 2)
    assert row["utility_loss"] == pytest.approx((1 + 2) / 2)
    assert row["hypervolume_ratio"] == pytest.approx((13 / VOLUMES[1] + 13 / VOLUMES[2]) / 2)
