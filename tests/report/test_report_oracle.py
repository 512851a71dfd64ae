"""Worlds whose best front is known: regularised coordinates, oracle regret, and what is drawn.

By hand, three preferences, no noise, reference −2. A method on the line reaches (2, 0), (1, 1) and
(0, 2), a hypervolume of 13; the oracle (3, 0), (2, 2) and (0, 3), of 10 + 8 + 2 = 20. Utilities are
2, 1, 2 of 3, 2, 3, so with a start model at 0 the regrets are 1/3, 1/2, 1/3.
"""

import json
import re
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from report_cells import GRID, TRIANGLE, digest, write_bandit, write_cell

from paretosteer import leaderboard
from paretosteer.cells import frames
from paretosteer.cells.cell import find_cells, read_cell
from paretosteer.cells.scores import UnreadableError, read_values
from paretosteer.metrics import oracle_regret
from paretosteer.report import print_leaderboard, write_report
from paretosteer.report.analysis.evaluate_table import TableResult, evaluate
from paretosteer.report.analysis.tables import make_tables
from paretosteer.report.figures.all_figures import REGRET, drawings, render
from paretosteer.report.figures.canvas import axis_label
from paretosteer.report.outputs.notes import notes
from paretosteer.report.outputs.text_tables import apart, headline
from paretosteer.simplex import lattice
from paretosteer.storage.digest import with_digest
from paretosteer.tracking.tracked_figures import Shown


def line(mu: Any) -> Any:
    return 2 * mu


def bulge(mu: Any) -> Any:
    return 3 * mu + (mu.max() < 1) * 0.5


def results(folder: Path) -> list[TableResult]:
    return [evaluate(table) for table in make_tables(find_cells(folder)).tables]


def edit_drift(cell: Path, change: Any) -> None:
    path = cell / "drift.parquet"
    change(pd.read_parquet(path)).to_parquet(path)


def test_points_are_regularised_prompt_by_prompt(tmp_path: Path) -> None:
    changes = {"kl_coefficient": 0.5}
    path = write_cell(tmp_path, "clp", line, grid=GRID, noise=0, prompts=2, changes=changes)
    again = pd.read_parquet(path / "scores.parquet").assign(sample=1)
    edit_drift(
        path,
        lambda drift: pd.concat(
            [
                drift.assign(kl=drift["point"] + (drift["prompt_id"] == "p01")),
                drift.assign(kl=drift["point"] + (drift["prompt_id"] == "p01") + 2, sample=1),
            ]
        ),
    )
    scores = pd.read_parquet(path / "scores.parquet")
    pd.concat([scores, again]).to_parquet(path / "scores.parquet")
    values = read_values(find_cells(tmp_path)[0])  # (points, prompts, m)
    # The KL of a prompt, mean of its two samples: the point's number + 1, and 1 more at p01.
    kl = np.arange(3)[:, None] + np.array([1.0, 2.0])
    assert values == pytest.approx(2 * np.array(GRID)[:, None] - 0.5 * kl[..., None])
    points = frames.load_points(tmp_path).set_index(["point", "objective"])
    assert points["value"].unstack().to_numpy() == pytest.approx(values.mean(axis=1))
    assert points.loc[(0, "sentiment"), "raw"] == pytest.approx(2 * 0.5 + 0.25)  # as it was scored
    assert leaderboard(tmp_path)["kl"].tolist() == pytest.approx([kl.mean()])


def test_trackers_see_regularised_points(tmp_path: Path) -> None:
    path = write_cell(tmp_path, "clp", line, grid=GRID, noise=0, changes={"kl_coefficient": 0.5})
    shown = Shown(read_cell(path))
    # Less half of a KL of 2 + the first weight.
    assert shown.front().rows[0][-3:] == pytest.approx([2 - 1.5, -1.5, 3])
    board = leaderboard(tmp_path).iloc[0]
    assert shown.headline()["hypervolume"] == pytest.approx(board["hypervolume"])


@pytest.mark.parametrize(
    ("harm", "reason"),
    [
        (lambda cell: (cell / "drift.parquet").unlink(), "drift.parquet: is absent"),
        (lambda cell: edit_drift(cell, lambda drift: drift.iloc[1:]), "pairs of point and prompt"),
        (
            lambda cell: edit_drift(cell, lambda drift: drift[drift["prompt_id"] != "p00"]),
            "other prompts than the scores",
        ),
        (lambda cell: edit_drift(cell, lambda drift: drift.drop(columns="kl")), "no column kl"),
        (
            lambda cell: edit_drift(cell, lambda drift: drift.assign(kl=float("inf"))),
            "not a finite number",
        ),
        (lambda cell: edit_drift(cell, lambda drift: drift.iloc[:0]), "is empty"),
    ],
)
def test_regularised_points_need_all_of_the_drift(tmp_path: Path, harm: Any, reason: str) -> None:
    harm(write_cell(tmp_path, "clp", line, changes={"kl_coefficient": 0.1}))
    (cell,) = make_tables(find_cells(tmp_path)).cells
    assert cell.status == "unreadable"
    assert reason in cell.reason
    assert "\n" not in cell.reason
    with pytest.raises(UnreadableError, match=re.escape(reason)):
        frames.load_points(tmp_path)


def test_other_coordinates_are_another_table(tmp_path: Path) -> None:
    write_cell(tmp_path, "clp", line)
    write_cell(tmp_path, "morl", line, changes={"kl_coefficient": 0.1})
    plain, regularised = found = results(tmp_path)
    assert [words.split("Only this one has: ")[1] for words in apart(found).values()] == [
        "KL coefficient 0.",
        "KL coefficient 0.1.",
    ]
    assert "sentiment, variety (each minus 0.1 × KL);" in headline(regularised)
    assert "KL" not in headline(plain)
    assert "minus 0.1 × KL" in " ".join(notes(regularised))
    assert regularised.table.setting and plain.table.setting
    assert axis_label("a", regularised.table.setting).startswith("a − 0.1 × KL\n")
    assert "KL" not in axis_label("a", plain.table.setting)


def test_against_the_oracle_by_hand(tmp_path: Path) -> None:
    write_cell(tmp_path, "line", line, grid=GRID, noise=0, oracle=bulge)
    write_cell(tmp_path, "best", bulge, grid=GRID, noise=0, oracle=bulge)
    best, row = leaderboard(tmp_path).to_dict(orient="records")
    assert (row["method"], row["ratio_to"]) == ("line", "oracle")
    assert row["hypervolume_ratio"] == pytest.approx(13 / 20)
    assert (row["utility_loss"], row["utility_loss_max"]) == pytest.approx((1, 1))
    assert row["additive_epsilon"] == pytest.approx(1)
    assert row["igd_plus"] == pytest.approx((1 + 2**0.5 + 1) / 3)
    assert row["oracle_regret"] == pytest.approx((1 / 3 + 1 / 2 + 1 / 3) / 3)
    assert row["oracle_regret"] == pytest.approx(oracle_regret([2, 1, 2], [3, 2, 3], [0, 0, 0]))
    assert (best["hypervolume_ratio"], best["oracle_regret"]) == pytest.approx((1, 0))
    assert best["utility_loss"] >= -1e-9
    assert row["hypervolume_behind"] == pytest.approx(7)


def test_regret_counts_from_where_the_start_model_is(tmp_path: Path) -> None:
    changes = {"oracle": {"start": [0.5, 0.5]}}
    write_cell(tmp_path, "line", line, grid=GRID, noise=0, oracle=bulge, changes=changes)
    row = leaderboard(tmp_path).iloc[0]
    assert row["oracle_regret"] == pytest.approx((1 / 2.5 + 1 / 1.5 + 1 / 2.5) / 3)


def test_preferences_at_which_nothing_can_be_learnt_are_left_out(tmp_path: Path) -> None:
    def idle(mu: Any) -> Any:
        return 3 * mu * (mu.max() == 1)  # the start model is best in the middle

    write_cell(tmp_path, "line", line, grid=GRID, noise=0, oracle=idle)
    (result,) = results(tmp_path)
    assert result.rows[0].figures["oracle_regret"] == pytest.approx(1 / 3)
    assert "At 1 of 3 preferences the oracle does not beat the start" in " ".join(notes(result))
    made = json.loads((write_report([tmp_path]).folder / "report.json").read_text())
    listed = made["tables"][0]["rows"][0]["regret_by_preference"]
    assert [each["preference"] for each in listed] == [[0, 1], [1, 0]]


def test_an_oracle_that_beats_the_start_nowhere(tmp_path: Path) -> None:
    write_cell(tmp_path, "line", line, grid=GRID, oracle=lambda mu: 0 * mu)
    (row,) = write_report([tmp_path]).leaderboard.to_dict(orient="records")
    assert row["ratio_to"] == "oracle"
    assert pd.isna(row["oracle_regret"])
    assert not list(tmp_path.rglob("regret-*"))


def test_regret_has_no_interval_over_prompts(tmp_path: Path) -> None:
    # The oracle is known for these prompts: on others the method's regret is not known at all.
    write_bandit(tmp_path, "clp", 0.9, grid=GRID, prompts=40)
    row = leaderboard(tmp_path).iloc[0]
    assert row["hypervolume_low"] < row["hypervolume_high"]
    assert row[["oracle_regret_low", "oracle_regret_high"]].isna().all()
    made = json.loads((write_report([tmp_path]).folder / "report.json").read_text())
    (listed, *_) = made["tables"][0]["rows"][0]["regret_by_preference"]
    assert (listed["low"], listed["high"]) == (None, None)
    assert "so regret has no interval" in " ".join(made["tables"][0]["notes"])


def test_oracles_that_disagree_are_not_believed(tmp_path: Path) -> None:
    write_cell(tmp_path, "clp", line, grid=GRID, oracle=bulge)
    write_cell(tmp_path, "morl", line, grid=GRID, oracle=lambda mu: bulge(mu) + 0.02)
    (result,) = results(tmp_path)
    assert result.ratio_to == "union"
    assert "recorded oracles of these cells differ by up to 0.02" in " ".join(notes(result))
    assert "oracle_regret" not in result.rows[0].figures


def test_rounding_is_no_disagreement(tmp_path: Path) -> None:
    write_cell(tmp_path, "clp", line, grid=GRID, oracle=bulge)
    write_cell(tmp_path, "morl", line, grid=GRID, oracle=lambda mu: bulge(mu) + 1e-7)
    assert [result.ratio_to for result in results(tmp_path)] == ["oracle"]


def test_one_cell_without_the_oracle(tmp_path: Path) -> None:
    write_cell(tmp_path, "clp", line, grid=GRID, oracle=bulge)
    write_cell(tmp_path, "morl", line, grid=GRID)
    (result,) = results(tmp_path)
    assert result.ratio_to == "union"
    assert "1 of 2 scored cells have no oracle" in " ".join(notes(result))


@pytest.mark.parametrize(
    "oracle",
    [{"points": [[1.0, 1.0]]}, {"start": [0.0]}],
)
def test_a_malformed_oracle_is_unreadable(tmp_path: Path, oracle: dict[str, Any]) -> None:
    path = write_cell(tmp_path, "clp", line, grid=GRID, oracle=bulge)
    record = json.loads((path / "record.json").read_text())
    record["oracle"] |= oracle
    (path / "record.json").write_text(json.dumps(with_digest(record)))
    (cell,) = make_tables(find_cells(tmp_path)).cells
    assert cell.status == "unreadable"
    assert "record.json: oracle does not have" in cell.reason


def test_the_oracle_takes_the_points_without_dials(tmp_path: Path) -> None:
    dials = ({"temperature": 0.5}, {})  # the ranked points come last
    write_cell(tmp_path, "line", line, grid=GRID, noise=0, dials=dials, oracle=bulge)
    assert leaderboard(tmp_path)["hypervolume_ratio"].tolist() == pytest.approx([13 / 20])


@pytest.mark.figures
@pytest.mark.parametrize("grid", [lattice(2).tolist(), TRIANGLE])
def test_page_and_figures_of_an_oracle_table(
    tmp_path: Path, grid: list[list[float]], capsys: pytest.CaptureFixture[str]
) -> None:
    for method, share in (("clp", 0.95), ("rewarded_soup", 0.6)):
        write_bandit(tmp_path, method, share, grid=grid)
    report = write_report([tmp_path])
    page = report.page.read_text()
    for told in (
        "Regret by preference",
        "Oracle regret",
        "The gap to the best policy for each preference, as a share",
        "The thin line is the oracle",
    ):
        assert told in page
    drawn = {path.name for path in (report.folder / "figures").iterdir()}
    assert {"regret-1.svg", "regret-1.png"} <= drawn
    (table,) = json.loads((report.folder / "report.json").read_text())["tables"]
    assert len(table["oracle"]) == len(grid)
    regrets = table["rows"][0]["regret_by_preference"]
    assert len(regrets) == len(grid)
    mean = np.mean([each["mean"] for each in regrets])
    assert mean == pytest.approx(report.leaderboard["oracle_regret"].iloc[0], abs=1e-5)
    print_leaderboard(report)
    assert "oracle regret" in capsys.readouterr().out
    assert "Oracle regret ↓" in (report.folder / "leaderboard.md").read_text()


@pytest.mark.figures
def test_regret_has_one_panel_for_two_objectives_and_one_each_for_more(tmp_path: Path) -> None:
    write_bandit(tmp_path / "two", "clp", 0.9, grid=GRID)
    write_bandit(tmp_path / "three", "clp", 0.9, grid=TRIANGLE)
    counts = []
    for folder in ("two", "three"):
        (result,) = results(tmp_path / folder)
        drawn = render(result, REGRET, "svg")
        counts.append(len(set(re.findall(rb'id="axes_\d+"', drawn))))
    assert counts == [1, 3]


@pytest.mark.figures
@pytest.mark.parametrize("shares", [(1.0, 0.5), (1.0, 1.0), (0.9, 0.8)])
def test_any_span_of_regret_can_be_drawn(tmp_path: Path, shares: tuple[float, float]) -> None:
    for method, share in zip(("clp", "morl"), shares, strict=True):
        write_bandit(tmp_path, method, share, grid=GRID, noise=0)
    (result,) = results(tmp_path)
    assert render(result, REGRET, "png")


def test_a_large_grid_shows_a_readable_part(tmp_path: Path) -> None:
    write_bandit(tmp_path, "clp", 0.9, grid=lattice(3).tolist())
    page = write_report([tmp_path]).page.read_text()
    assert "7 of 21 preferences, all in report.json" in page
    words = re.findall(r">\(([^()]*)\)</th>", page.partition("Regret by preference")[2])
    shown = [[float(weight) for weight in each.split(", ")] for each in words]
    assert (shown[0], shown[-1]) == ([1, 0, 0], [0, 0, 1])
    assert [0, 1, 0] in shown
    assert min(max(each) for each in shown) == 0.4  # the nearest to the centre


def test_without_an_oracle_nothing_speaks_of_regret(tmp_path: Path) -> None:
    write_cell(tmp_path, "clp", line)
    left = tmp_path / "report" / "figures" / "regret-1.svg"
    left.parent.mkdir(parents=True)
    left.touch()
    report = write_report([tmp_path])
    assert not left.exists()
    for name in ("index.html", "leaderboard.md", "leaderboard.tex"):
        assert "racle regret" not in (report.folder / name).read_text()
    assert REGRET not in drawings(results(tmp_path)[0])


def test_a_report_of_both_kinds_keeps_their_columns_apart(tmp_path: Path) -> None:
    write_cell(tmp_path, "clp", line, changes={"prompts": {"digest": digest("others")}})
    write_cell(tmp_path, "morl", line, oracle=bulge)
    first, second = (
        (write_report([tmp_path]).folder / "leaderboard.md").read_text().split("###")[1:]
    )
    assert sorted("Oracle regret" in text for text in (first, second)) == [False, True]
