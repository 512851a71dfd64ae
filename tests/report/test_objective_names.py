"""Objectives called as other columns are: kept apart, or refused before anything runs."""

import json
from pathlib import Path
from typing import Any

import pytest
from report_cells import GRID, concave, only, write_cell

from paretosteer import load_scores
from paretosteer.cells.cell import find_cells
from paretosteer.cells.plan import reserved_names
from paretosteer.errors import UsageError
from paretosteer.metrics.row_metric import column_of
from paretosteer.report import columns, write_report
from paretosteer.report.outputs.score_csv import score_csv
from paretosteer.tracking.tracked_figures import Shown

pytestmark = pytest.mark.figures


def board_of(tmp_path: Path, names: tuple[str, str]) -> dict[str, Any]:
    for seed in range(2):
        write_cell(tmp_path / names[0], "clp", concave(2.0), seed=seed, names=names, grid=GRID)
    row: dict[str, Any] = write_report([tmp_path / names[0]]).leaderboard.iloc[0].to_dict()
    return row


@pytest.mark.parametrize("names", [("low", "high"), ("error", "objective_low"), ("a", "a_low")])
def test_names_of_objectives_change_no_figure(names: tuple[str, str], tmp_path: Path) -> None:
    plain, odd = board_of(tmp_path, ("one", "two")), board_of(tmp_path, names)
    for metric in ("controllability", "range"):
        for name, usual in zip(names, ("one", "two"), strict=True):
            column = column_of(f"{metric}_{{objective}}", name)
            assert odd[column] == plain[f"{metric}_{usual}"]
    for end in ("low", "high"):
        assert odd[f"controllability_{end}"] == plain[f"controllability_{end}"]
    assert len(odd) == len(plain)


def test_columns_of_objectives_have_no_interval_of_another_s(tmp_path: Path) -> None:
    write_cell(tmp_path, "clp", concave(2.0), names=("a", "a_low"), grid=GRID)
    write_cell(tmp_path, "clp", concave(2.0), seed=1, names=("a", "a_low"), grid=GRID)
    (row,) = only(tmp_path).rows
    figures = row.figures | {"range_a_high": 3.0}
    (column,) = [each for each in columns.section("steering", ["a"]) if each.name == "range_a"]
    assert "[" not in column.text(figures)
    others = {each.name for each in columns.other_columns([figures], [])}
    assert {"range_a", "range_a_low", "range_a_high"} <= others
    assert "hypervolume_low" not in others


def test_scores_from_elsewhere_have_the_same_columns(tmp_path: Path) -> None:
    rows = ["method,low,high,w_low,w_high", "m,1,2,0,1", "m,2,1,1,0"]
    (tmp_path / "points.csv").write_text("\n".join(rows))
    (row,) = score_csv(tmp_path / "points.csv", [0, 0]).to_dict("records")
    assert row["range_objective_low"] == row["range_objective_high"] == 1


@pytest.mark.parametrize(
    ("names", "taken"),
    [
        (["low", "high"], set()),
        (["a", "seed"], {"seed"}),
        (["path", "method"], {"path", "method"}),
        (["a", "w_a"], {"w_a"}),
        (["w_a", "b"], set()),
        (["a", "judged a"], {"judged a"}),
        (["tokens_per_second", "b"], {"tokens_per_second"}),
    ],
)
def test_names_that_cannot_be_kept_apart_are_reserved(names: list[str], taken: set[str]) -> None:
    assert reserved_names(names) == taken


def test_every_column_of_loaded_scores_is_reserved(tmp_path: Path) -> None:
    write_cell(tmp_path, "clp", concave(2.0), names=("one", "two"))
    added = set(load_scores(tmp_path)) - {"one", "two"}
    assert reserved_names(added) == added


def test_a_reserved_name_is_refused_before_anything_runs(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from paretosteer.cells.plan import CellPlan, plan_cell
    from paretosteer.sweeps.compose import compose_cell

    config = compose_cell(["benchmark=bandit", "method=start", f"sweep_dir={tmp_path}"])
    monkeypatch.setattr(CellPlan, "objectives", {"seed": "1", "b": "1"})
    with pytest.raises(UsageError, match=r"an objective is called 'seed'.*rename the objective"):
        plan_cell(config)


def test_tracked_tables_keep_dials_and_texts_apart_from_objectives(tmp_path: Path) -> None:
    names = ("kappa", "text")
    write_cell(tmp_path, "clp", concave(2.0), names=names, dials=({}, {"kappa": 0.5}))
    (cell,) = find_cells(tmp_path)
    front = Shown(cell).front()
    assert {"dial kappa", "kappa", "w_kappa"} <= set(front.columns)
    assert {row[front.columns.index("dial kappa")] for row in front.rows} == {None, 0.5}
    samples, _ = Shown(cell).samples(3)
    shown = dict(zip(samples.columns, samples.rows[0], strict=True))
    first = json.loads((cell.path / "samples.jsonl").read_text().splitlines()[0])
    assert shown["text"] == first["text"] and isinstance(shown["text score"], float)
