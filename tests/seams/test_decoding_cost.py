"""Decode-time costs: from the controls of the evaluated points to the leaderboard and the page."""

from __future__ import annotations

from pathlib import Path

import pytest
from seam_cells import finish

from paretosteer import leaderboard
from paretosteer.report import write_report

BANDIT = ("benchmark=bandit", "preferences.divisions=2")  # (1, 0), (0.5, 0.5) and (0, 1)
COSTS = {
    "start": ((), 1.0, 0.0),
    "mod": ((), 4 / 3, 0.0),  # one model at either end
    "genarm": ((), 7 / 3, 0.0),
    "parm": (("benchmark.policy=mlp",), 2.0, 0.0),
    "best_of_n": (("method.n=4", "method.dial=[1,2]"), 4.0, 4.0),
}


@pytest.mark.parametrize("name", COSTS)
def test_passes_and_reward_calls_are_means_over_preferences(name: str, tmp_path: Path) -> None:
    overrides, passes, calls = COSTS[name]
    finish(tmp_path, *BANDIT, f"method={name}", *overrides)
    (row,) = leaderboard(tmp_path).to_dict("records")
    assert row["forward_passes_per_token"] == pytest.approx(passes)
    assert row["reward_calls_per_answer"] == pytest.approx(calls)


def test_tables_show_what_the_rows_pay_differently(tmp_path: Path) -> None:
    for name in ("start", "mod"):
        finish(tmp_path, *BANDIT, f"method={name}")
    table = write_report([tmp_path], tmp_path / "out").folder / "leaderboard.md"
    heading = next(line for line in table.read_text().splitlines() if line.startswith("| Method"))
    assert "Passes per token" in heading and "Reward calls" not in heading
