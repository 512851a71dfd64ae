"""One object declares a metric: its columns, tables, listing, checks and logs follow from it."""

from pathlib import Path

import numpy as np
import pytest
from report_cells import GRID, concave, moved, only, write_cell

from paretosteer import leaderboard
from paretosteer.metrics import METRICS, RowMetric, measure
from paretosteer.metrics.leaderboard import ROW_METRICS
from paretosteer.report import columns, write_report

GAP = RowMetric(
    "gap",
    "down",
    "mean shortfall from the best front",
    version="3",
    function=lambda points, front: (front.max(axis=0) - points.mean(axis=-2)).mean(axis=-1),
    needs=("points", "front"),
    title="Gap to the front",
    format=".1f",
)
SPAN = RowMetric(
    "span",
    "up",
    "mean range of the objectives",
    function=lambda points, preferences, reference: np.ptp(points, axis=-2).mean(axis=-1),
    interval="symmetric",
)


@pytest.fixture
def declared(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(columns, "plugin_metrics", lambda *_: [GAP, SPAN])


def test_columns_and_tables_follow_from_a_declaration(tmp_path: Path, declared: None) -> None:
    write_cell(tmp_path, "near", moved(0), grid=GRID, noise=0)
    write_cell(tmp_path, "far", moved(1), grid=GRID, noise=0)
    report = write_report([tmp_path])
    board = report.leaderboard.set_index("method")
    assert board["gap"].to_dict() == pytest.approx({"far": 1, "near": 2})
    assert board[["span_low", "span_high"]].to_numpy() == pytest.approx(2)
    text = (report.folder / "leaderboard.md").read_text(encoding="utf-8")
    assert "Gap to the front ↓" in text and "**1.0**" in text
    assert "| span ↑ |" in text and r"2 \[2, 2\]" in text
    page = report.page.read_text(encoding="utf-8")
    assert "<dt>Gap to the front ↓</dt><dd>mean shortfall from the best front" in page


def test_an_interval_follows_from_a_declaration(tmp_path: Path, declared: None) -> None:
    write_cell(tmp_path, "clp", concave(2.0))
    (row,) = leaderboard(tmp_path).to_dict("records")
    assert row["span_low"] < row["span"] < row["span_high"]


def test_a_metric_is_defined_where_its_inputs_are_known() -> None:
    points = np.array([[2.0, 0.0], [0.0, 2.0]])
    inputs = {"points": points, "preferences": np.eye(2), "reference": np.array([-1.0, -1.0])}
    found = measure.figures(ROW_METRICS, inputs, ["a", "b"])
    assert found["hypervolume"] == 3 + 3 - 1 and found["range_b"] == 2
    assert {"utility_loss", "oracle_regret", "kl", "hypervolume_ref_1"}.isdisjoint(found)
    one = {name: value[:1] for name, value in inputs.items()} | {"reference": np.zeros(2)}
    assert "controllability" not in measure.figures(ROW_METRICS, one, ["a", "b"])


def test_every_built_in_metric_is_listed_titled_and_in_the_leaderboard(tmp_path: Path) -> None:
    measured = {"main_objective": "variety", "measures": {"dpo_losses": [[0.5, 0.6]] * 5}}
    write_cell(tmp_path, "clp", concave(2.0), changes=measured)
    names = [column.name for column in columns.BUILT_IN]
    board = write_report([tmp_path], raw_reference=(-9.0, -9.0)).leaderboard
    assert len(set(names)) == len(names)
    for metric in ROW_METRICS:
        assert METRICS[metric.name] is metric and metric.section and metric.title != metric.name
        own = metric.of("variety").names if metric.per_objective else metric.names
        assert set(own) <= set(board)
    reserved = {name for column in columns.BUILT_IN for name in column.names}
    varying = {
        name
        for name in board
        if name.startswith(("controllability_", "range_", "negative_dpo_loss_"))
    }
    assert set(board) <= reserved | varying


def test_whatever_is_not_of_a_shown_column_keeps_its_name(tmp_path: Path) -> None:
    write_cell(tmp_path, "clp", concave(2.0))
    (row,) = only(tmp_path).rows
    shown = [column for name in ("quality", "cost") for column in columns.section(name)]
    rest = columns.other_columns([row.figures], shown)
    others = {column.title: column.text(row.figures) for column in rest}
    assert others["seconds_score"] == "1.5" and others["n_failed"] == "0"
    assert "igd_plus" in others and "hypervolume" not in others
