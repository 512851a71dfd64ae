"""Figures in raw units: mean inner product, hypervolume, auxiliary objectives, DPO losses."""

import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from report_cells import EDGE, GRID, TRIANGLE, concave, moved, write_cell, write_folds

from paretosteer.commands.main import main
from paretosteer.errors import UsageError
from paretosteer.report import write_report


def raw_points(folder: Path, m: int) -> np.ndarray:
    """Mean raw scores (k, m) by point, straight from the file."""
    scores = pd.read_parquet(folder / "scores.parquet")
    return scores.groupby("point").mean(numeric_only=True).to_numpy()[:, -m:]


def staircase(points: np.ndarray, reference: tuple[float, float]) -> float:
    """Area above the reference that points in two objectives dominate."""
    area, reached = 0.0, reference[1]
    for x, y in sorted(map(tuple, points), reverse=True):
        if x > reference[0] and y > reached:
            area += (x - reference[0]) * (y - reached)
            reached = y
    return area


def test_mean_inner_products_and_hypervolume_from_the_raw_scores(tmp_path: Path) -> None:
    cell = write_cell(tmp_path, "clp", concave(2.0))
    record = json.loads((cell / "record.json").read_text())
    raw, mu = raw_points(cell, 2), np.array(EDGE)
    z = (raw - record["normaliser"]["mean"]) / record["normaliser"]["std"]
    reference = (float(raw[:, 0].min()) - 0.5, float(raw[:, 1].min()) - 0.25)
    (row,) = write_report([tmp_path], raw_reference=reference).leaderboard.to_dict("records")
    assert row["mip"] == pytest.approx((mu * z).sum(axis=1).mean())
    assert row["mip_raw"] == pytest.approx((mu * raw).sum(axis=1).mean())
    assert row["hypervolume_raw"] == pytest.approx(staircase(raw, reference))


def test_folds_count_in_their_own_raw_units(tmp_path: Path) -> None:
    cells = write_folds(tmp_path, "clp", {1: 0.0, 2: 1.0, 3: -1.0})
    (row,) = write_report([tmp_path], raw_reference=(-9, -9)).leaderboard.to_dict("records")
    volumes = [staircase(raw_points(cell, 2), (-9, -9)) for cell in cells]
    assert row["hypervolume_raw"] == pytest.approx(np.mean(volumes))


def test_the_reference_is_stated_and_absent_without_one(tmp_path: Path) -> None:
    write_cell(tmp_path, "clp", concave(2.0))
    plain = write_report([tmp_path])
    assert "hypervolume_raw" not in plain.leaderboard
    folder = write_report([tmp_path], raw_reference=(-1.5, 0.25)).folder
    for name in ("leaderboard.md", "leaderboard.tex", "report.json", "index.html"):
        text = (folder / name).read_text().replace("$-$", "−")
        assert "measured from the given reference point: (−1.5, 0.25)" in text


def test_tables_of_another_size_have_no_raw_hypervolume(tmp_path: Path) -> None:
    write_cell(tmp_path, "clp", concave(2.0))
    write_cell(tmp_path, "clp", moved(0.0), seed=1, grid=TRIANGLE)
    board = write_report([tmp_path], raw_reference=(-9, -9, -9)).leaderboard
    assert board["hypervolume_raw"].notna().tolist() == [False, True]


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ((0, 0, 0), "found 3 values, but the tables have 2 objectives"),
        ((0, float("nan")), "holds NaN or infinity"),
    ],
)
def test_a_wrong_reference_is_one_line(tmp_path: Path, given, message: str) -> None:
    write_cell(tmp_path, "clp", concave(2.0))
    with pytest.raises(UsageError, match=message):
        write_report([tmp_path], raw_reference=given)


def test_the_command_and_the_configuration_take_it(tmp_path: Path, capsys) -> None:
    cell = write_cell(tmp_path / "made", "clp", concave(2.0))
    assert main(["report", str(tmp_path / "made"), "--raw-reference=-9,-9"]) == 0
    board = pd.read_csv(tmp_path / "made" / "report" / "leaderboard.csv")
    assert board["hypervolume_raw"][0] == pytest.approx(
        staircase(raw_points(cell, 2), (-9, -9)), rel=1e-5
    )
    assert main(["report", str(tmp_path / "made"), "--raw-reference=-9,x"]) == 2
    assert "--raw-reference: found '-9,x'" in capsys.readouterr().err
    run = ["run", "method=start", "benchmark=bandit", "budget=smoke", f"sweep_dir={tmp_path}/run"]
    assert main([*run, "report.raw_reference=[-9,-9]"]) == 0
    board = pd.read_csv(tmp_path / "run" / "report" / "leaderboard.csv")
    (cell,) = (tmp_path / "run" / "bandit" / "start").iterdir()
    assert board["hypervolume_raw"][0] == pytest.approx(
        staircase(raw_points(cell, 2), (-9, -9)), rel=1e-5
    )
    assert "report" not in json.loads((cell / "record.json").read_text())["config"]


@pytest.mark.parametrize("given", ["[1,2,3]", "[-9,-9,-9,-9]"])
def test_a_reference_that_fits_no_cell_is_refused_before_training(tmp_path, capsys, given) -> None:
    run = ["benchmark=bandit", "budget=smoke", f"sweep_dir={tmp_path}/run"]
    for command in ("run", "sweep"):
        assert main([command, "method=start", *run, f"report.raw_reference={given}"]) == 2
        told = capsys.readouterr().err
        assert "report.raw_reference: found" in told and "the cells have 2 objectives" in told
    assert not (tmp_path / "run").exists()


def test_auxiliary_objectives_apart_from_the_main_one(tmp_path: Path) -> None:
    changes = {"main_objective": "sentiment"}
    cell = write_cell(tmp_path, "clp", moved(1.0), grid=TRIANGLE, changes=changes)
    raw = raw_points(cell, 3)
    (row,) = write_report([tmp_path]).leaderboard.to_dict("records")
    assert row["main_objective"] == pytest.approx(raw[:, 0].mean())
    assert row["auxiliary_hypervolume"] == pytest.approx(staircase(raw[:, 1:], (0, 0)))
    assert row["auxiliary_hypervolume"] > 0


def test_dpo_losses_of_a_record(tmp_path: Path) -> None:
    losses = [[0.5, 0.9], [0.6, 0.7], [0.65, 0.65], [0.7, 0.6], [1.2, 0.4]]
    write_cell(tmp_path, "clp", concave(2.0), changes={"measures": {"dpo_losses": losses}})
    (row,) = write_report([tmp_path]).leaderboard.to_dict("records")
    assert row["negative_dpo_loss_sentiment"] == pytest.approx(-0.73)
    assert row["negative_dpo_loss_variety"] == pytest.approx(-0.65)
    expected = staircase(-np.array(losses), (-1.1, -1.1))
    assert row["hypervolume_dpo_loss"] == pytest.approx(expected)


def test_measures_that_do_not_fit_the_points_are_unreadable(tmp_path: Path) -> None:
    changes = {"measures": {"dpo_losses": [[0.5, 0.9]]}}
    write_cell(tmp_path, "clp", concave(2.0), changes=changes)
    assert write_report([tmp_path]).counts == {"unreadable": 1}


def test_mip_between_bounds(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    write_cell(tmp_path / "made", "clp", lambda mu: 2 * mu, grid=GRID)
    plain = write_report([tmp_path / "made"]).leaderboard.iloc[0]
    assert main(["report", str(tmp_path / "made"), "--raw-bounds=-10:10,-5:15"]) == 0
    board = pd.read_csv(tmp_path / "made" / "report" / "leaderboard.csv")
    # ⟨μ, (s − low) / 20⟩: both objectives have the same width, and equal weight on average.
    expected = (plain["mip_raw"] + 7.5) / 20
    assert board["mip_bounded"].iloc[0] == pytest.approx(expected, abs=1e-6)
    content = json.loads((tmp_path / "made" / "report" / "report.json").read_text())
    (table,) = content["tables"]
    assert table["raw_bounds"] == [[-10, -5], [10, 15]]
    assert any("Bounded MIP uses the given raw bounds" in note for note in table["notes"])
    for wrong in ("1:0,0:1", "0:1", "0,1", "0:x,0:1"):
        assert main(["report", str(tmp_path / "made"), f"--raw-bounds={wrong}"]) == 2
        assert "raw" in capsys.readouterr().err
