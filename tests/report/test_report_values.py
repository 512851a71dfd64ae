"""Figures of the leaderboard against values worked out by hand.

Three preferences, no noise, reference −2. Boxes above the reference are (2, 4), (3, 3), (4, 2)
for a method on the line, so 8 + 3 + 2 = 13; a method that never moves has 3.5² = 12.25; their
union front (0, 2), (1.5, 1.5), (2, 0) has 8 + 5.25 + 1 = 14.25.
"""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from report_cells import EDGE, GRID, TRIANGLE, concave, write_cell

from paretosteer import leaderboard, load
from paretosteer.report.leaderboard import COLUMNS

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
    assert tuple(board.columns[: len(COLUMNS)]) == COLUMNS
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


def test_intervals_cover_the_estimate(tmp_path: Path) -> None:
    write_cell(tmp_path, "clp", concave(2.0))
    write_cell(tmp_path, "three", concave(2.0), grid=TRIANGLE)
    for _, row in leaderboard(tmp_path).iterrows():
        assert row["hypervolume_low"] < row["hypervolume"] < row["hypervolume_high"]
        assert row["controllability_low"] <= row["controllability"] <= row["controllability_high"]


def test_frames(tmp_path: Path) -> None:
    write_cell(tmp_path, "line", lambda mu: 2 * mu, prompts=3, noise=0)
    cells = load.load_cells(tmp_path)
    assert cells.loc[0, ["method", "status", "seed"]].tolist() == ["line", "ok", 0]
    assert cells.loc[0, "record"]["schema"] == 1
    points = load.load_points(tmp_path)
    assert len(points) == len(EDGE) * 2
    assert np.allclose(points["value"], 2 * points["weight"])
    scores = load.load_scores(tmp_path)
    assert len(scores) == len(EDGE) * 3
    assert {"method", "seed", "point", "prompt_id", "sample", "sentiment"} <= set(scores)
