"""Figures of the leaderboard against values worked out by hand.

Three preferences, no noise, reference −2. Boxes above the reference are (2, 4), (3, 3), (4, 2)
for a method on the line, so 8 + 3 + 2 = 13; a method that never moves has 3.5² = 12.25; their
union front (0, 2), (1.5, 1.5), (2, 0) has 8 + 5.25 + 1 = 14.25.
"""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from report_cells import EDGE, GRID, TRIANGLE, concave, drifts, only, write_cell

from paretosteer import leaderboard
from paretosteer.cells import frames
from paretosteer.report.analysis.budget_curves import ladders
from paretosteer.report.columns import CONTRACT

BY_HAND = {
    "line": {
        "hypervolume": 13,
        "hypervolume_low": 13,
        "hypervolume_high": 13,
        "hypervolume_ratio": 13 / 14.25,
        "hypervolume_ref_1": 3 + 2 + 1,
        "hypervolume_ref_3": 15 + 4 + 3,
        "controllability": 1,
        "controllability_sentiment": 1,
        "order_agreement": 1,
        "utility_loss": 0.5 / 3,
        "utility_loss_max": 0.5,
        "steering_regret": 0,
        "expected_utility": 5 / 3,
        "contribution": 2,
        "contribution_points": 2,
        "front_size": 3,
        "violations": 0,
        "largest_backtrack": 0,
        "dominated_by": 0,
        "range_variety": 2,
    },
    "still": {
        "hypervolume": 12.25,
        "hypervolume_ratio": 12.25 / 14.25,
        "controllability": 0,
        "utility_loss": 1 / 3,
        "steering_regret": 0,
        "expected_utility": 1.5,
        "contribution": 1.25,
        "contribution_points": 3,  # three equal points, none of which dominates another
        "dominated_by": 0,
    },
}


@pytest.fixture(scope="module")
def board(tmp_path_factory: pytest.TempPathFactory) -> pd.DataFrame:
    folder = tmp_path_factory.mktemp("by_hand")
    for name, response in (("line", lambda mu: 2 * mu), ("still", lambda mu: 0 * mu + 1.5)):
        write_cell(folder, name, response, grid=GRID, noise=0)
    return leaderboard(folder)


@pytest.mark.parametrize("method", ["line", "still"])
def test_by_hand(board: pd.DataFrame, method: str) -> None:
    row = board.set_index("method").loc[method]
    expected = BY_HAND[method]
    assert row[list(expected)].to_dict() == pytest.approx(expected)


def test_order_and_contract(board: pd.DataFrame) -> None:
    assert tuple(board.columns[: len(CONTRACT)]) == CONTRACT
    assert board["method"].tolist() == ["line", "still"]
    assert board["ratio_to"].tolist() == ["union", "union"]
    assert board["oracle_regret"].isna().all()


def test_steering_backwards(tmp_path: Path) -> None:
    write_cell(tmp_path, "line", lambda mu: 2 * mu, grid=GRID, noise=0)
    write_cell(tmp_path, "backwards", lambda mu: 2 * (1 - mu), grid=GRID, noise=0)
    forwards, backwards = leaderboard(tmp_path).to_dict(orient="records")
    assert forwards["method"] == "line"  # the tie in hypervolume goes to controllability
    assert backwards["controllability"] == -1
    assert backwards["steering_regret"] == pytest.approx(5 / 3 - 1 / 3)
    assert backwards["violations"] == 4
    assert backwards["largest_backtrack"] == pytest.approx(1)
    assert backwards["contribution"] == 0


def test_dominated_at_most_preferences(tmp_path: Path) -> None:
    write_cell(tmp_path, "better", lambda mu: 2 * mu + 0.1, grid=GRID, noise=0)
    write_cell(tmp_path, "worse", lambda mu: 2 * mu, grid=GRID, noise=0)
    assert leaderboard(tmp_path)["dominated_by"].tolist() == [0, 1]


def test_metrics_are_means_over_seeds(tmp_path: Path) -> None:
    for seed in (0, 1):  # the second is 0.05 further in both objectives
        write_cell(tmp_path, "line", lambda mu: 2 * mu, grid=GRID, noise=0, seed=seed)
    row = leaderboard(tmp_path).iloc[0]
    second = 2.05 * 4.05 + 3.05 + 2.05
    assert row["seeds"] == 2
    assert row["seed_list"] == "0 1"
    assert row["hypervolume"] == pytest.approx((13 + second) / 2)
    # The union front is the second seed's, whose own ratio is 1.
    assert row["hypervolume_ratio"] == pytest.approx((13 / second + 1) / 2)


def test_dials_are_not_ranked(tmp_path: Path) -> None:
    far = ({}, {"temperature": -5.0})  # the builder adds 5 to both objectives
    write_cell(tmp_path, "line", lambda mu: 2 * mu, grid=GRID, noise=0, dials=far)
    row = leaderboard(tmp_path).iloc[0]
    assert row["hypervolume"] == pytest.approx(13)
    assert (row["points"], row["dialled_points"]) == (3, 3)


def test_costs_and_drift(tmp_path: Path) -> None:
    for seed, steps in ((0, 100), (1, 110)):
        cost = {"cost": {"train_steps": steps}}
        write_cell(tmp_path, "line", lambda mu: 2 * mu, seed=seed, changes=cost)
    row = leaderboard(tmp_path).iloc[0]
    assert row["train_steps"] == 105
    assert row["seconds_train"] == 60
    assert row["kl"] == pytest.approx(2.5)
    assert row["budget_steps"] == 120


def test_equal_drift_counts_the_points_below_one_threshold(tmp_path: Path) -> None:
    near = write_cell(tmp_path, "near", lambda mu: 2 * mu, grid=GRID, noise=0)
    far = write_cell(tmp_path, "far", lambda mu: 4 * mu, grid=GRID, noise=0)
    drifts(near, lambda point: 1.0 + point)  # (2, 0), (1, 1), (0, 2) at 1, 2, 3 nats
    drifts(far, lambda point: [9.0, 2.5, 9.0][point])  # (2, 2) alone is near
    board = leaderboard(tmp_path).set_index("method")
    assert np.allclose(board["equal_drift_kl"], np.median([1, 2, 3, 9, 2.5, 9]))
    assert board.loc["near", "hypervolume_equal_drift"] == pytest.approx(8 + 9 - 6)
    assert board.loc["far", "hypervolume_equal_drift"] == pytest.approx(16)


def test_equal_drift_rises_to_the_whole_hypervolume(tmp_path: Path) -> None:
    for method, reach in (("clp", 2.4), ("bone_soup", 2.0)):
        for seed in (0, 1):
            write_cell(tmp_path, method, concave(reach), seed=seed)
    result = only(tmp_path)
    assert result.equal_drift
    for each in result.scored:
        volumes = result.equal_drift.volumes[each.row.label]
        assert (np.diff(volumes) >= 0).all() and volumes[0] < volumes[-1]
        assert volumes[-1] == pytest.approx(each.figures["hypervolume"])


def test_no_equal_drift_without_drift(tmp_path: Path) -> None:
    write_cell(tmp_path, "measured", concave(2.0))
    (write_cell(tmp_path, "unmeasured", concave(2.0)) / "drift.parquet").unlink()
    board = leaderboard(tmp_path).set_index("method")["hypervolume_equal_drift"]
    assert board["measured"] > 0 and np.isnan(board["unmeasured"])
    drifts(write_cell(tmp_path / "other", "start", concave(0.1)), lambda point: 0.0)
    assert "equal_drift_kl" not in leaderboard(tmp_path / "other").dropna(axis=1)


def test_a_ladder_is_one_configuration_under_several_caps(tmp_path: Path) -> None:
    for steps in (240, 60, 120):
        write_cell(tmp_path, "clp", concave(1 + steps / 240), variant="full", steps=steps)
    write_cell(tmp_path, "clp", concave(2), variant="full, rank=4", rank=4, steps=60)
    write_cell(tmp_path, "bone_soup", concave(2), steps=60)
    result = only(tmp_path)
    (ladder,) = ladders(result.scored)
    assert ladder.label == "clp (full)"
    assert [each.row.cap for each in ladder.rows] == [60, 120, 240]


def test_intervals_cover_the_estimate(tmp_path: Path) -> None:
    write_cell(tmp_path, "clp", concave(2.0))
    write_cell(tmp_path, "three", concave(2.0), grid=TRIANGLE)
    for _, row in leaderboard(tmp_path).iterrows():
        assert row["hypervolume_low"] < row["hypervolume"] < row["hypervolume_high"]
        assert row["controllability_low"] <= row["controllability"] <= row["controllability_high"]


def test_frames(tmp_path: Path) -> None:
    write_cell(tmp_path, "line", lambda mu: 2 * mu, prompts=3, noise=0)
    cells = frames.load_cells(tmp_path, records=True)
    assert cells.loc[0, ["method", "status", "seed"]].tolist() == ["line", "ok", 0]
    assert cells.loc[0, "record"]["schema"] == 1
    points = frames.load_points(tmp_path)
    assert len(points) == len(EDGE) * 2
    assert np.allclose(points["value"], 2 * points["weight"])
    for wide in (points, frames.load_cells(tmp_path)):
        assert not any(isinstance(value, dict) for value in wide.to_numpy().ravel())
    cube = points.pivot(index=["method", "point"], columns="objective", values="value")
    assert cube.shape == (len(EDGE), 2)
    first = points[points["objective"] == "sentiment"]
    assert first["w.sentiment"].tolist() == first["weight"].tolist()
    scores = frames.load_scores(tmp_path)
    assert len(scores) == len(EDGE) * 3
    assert {"method", "seed", "point", "prompt_id", "sample", "sentiment"} <= set(scores)
