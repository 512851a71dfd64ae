"""Which cells make a row, which rows share a table, and what becomes of cells that did not end."""

import json
import shutil
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from report_cells import GRID, concave, digest, only, write_cell, write_missing, write_unscored

from paretosteer import leaderboard
from paretosteer.cells import frames
from paretosteer.cells.cell import find_cells
from paretosteer.errors import UsageError
from paretosteer.report import print_leaderboard, write_report
from paretosteer.report.analysis.evaluate_table import evaluate
from paretosteer.report.analysis.row_key import configuration, labels
from paretosteer.report.analysis.tables import Tables, make_tables
from paretosteer.report.columns import HYPERVOLUME
from paretosteer.report.outputs.notes import notes, warnings
from paretosteer.report.outputs.text_tables import apart
from paretosteer.storage.digest import with_digest


def line(mu: Any) -> Any:
    return 2 * mu


def tables(folder: Path) -> Tables:
    return make_tables(find_cells(folder))


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        ({"benchmark": {"version": "2"}}, "benchmark version 2"),
        ({"benchmark": {"name": "other"}}, "benchmark other"),
        (
            {"model": {"digest": digest("other")}},
            f"start model and data embedded ({digest('other')[:8]})",
        ),
        ({"normaliser": {"mean": [0.25, 0.51]}}, "normaliser mean (0.25, 0.51)"),
        ({"normaliser": {"std": [0.5, 0.26]}}, "normaliser std (0.5, 0.26)"),
        ({"reference": [-2.0, -1.0]}, "reference (−2, −1)"),
        (
            {"prompts": {"digest": digest("other")}},
            f"test prompts 12 prompts ({digest('other')[:8]})",
        ),
        ({"dtype": "bfloat16"}, "precision bfloat16"),
    ],
)
def test_unlike_cells_never_share_a_table(
    tmp_path: Path, changes: dict[str, Any], told: str
) -> None:
    write_cell(tmp_path, "clp", line)
    write_cell(tmp_path, "morl", line, changes=changes)
    found = tables(tmp_path).tables
    assert [table.number for table in found] == [1, 2]
    words = apart([evaluate(table) for table in found])
    assert any(told in text for text in words.values())


def test_another_grid_is_another_table(tmp_path: Path) -> None:
    write_cell(tmp_path, "clp", line)
    write_cell(tmp_path, "morl", line, grid=GRID)
    assert len(tables(tmp_path).tables) == 2


def test_one_table_needs_no_distinction(tmp_path: Path) -> None:
    write_cell(tmp_path, "clp", line)
    write_cell(tmp_path, "morl", line, grid=[*GRID[::-1], [0.25, 0.75], [0.75, 0.25]])
    found = tables(tmp_path).tables  # the same grid in another order
    assert len(found) == 1
    assert apart([evaluate(found[0])]) == {}


def test_rows_with_other_options_are_told_apart(tmp_path: Path) -> None:
    write_cell(tmp_path, "clp", line, steps=120)
    write_cell(tmp_path, "clp", line, steps=240)
    (table,) = tables(tmp_path).tables
    assert [row.label for row in table.rows] == [
        "clp [budget.steps=120]",
        "clp [budget.steps=240]",
    ]
    told = " ".join(notes(evaluate(table)))
    assert "Budgets differ: this table has caps of 120, 240 steps" in told


def test_a_row_without_training_spends_no_budget(tmp_path: Path) -> None:
    write_cell(tmp_path, "clp", line, steps=60)
    write_cell(tmp_path, "adapters", line, changes={"cost": {"train_steps": 0}})
    (table,) = tables(tmp_path).tables
    assert "Budgets differ" not in " ".join(notes(evaluate(table)))


def test_configuration_leaves_out_where_it_ran() -> None:
    config = {
        "method": {"name": "clp", "path": "/elsewhere/init"},
        "benchmark": {"name": "queries", "fold": 2},
        "seed": 3,
        "sweep_dir": "x",
        "device": "cuda",
        "tracker": {"name": "wandb"},
        "launcher": {"name": "ray"},
    }
    assert configuration(config) == {
        "benchmark.name": "queries",
        "method.name": "clp",
        "method.path": "init",
    }


def test_adapters_are_named_by_what_distinguishes_their_folders() -> None:
    def named(*sets: list[str]) -> list[str]:
        return labels([("adapters", "", {"method.paths": paths}) for paths in sets])

    ours, theirs = ["/data/ours/helpful", "/data/ours/safe"], ["/data/theirs/helpful", "/data/safe"]
    assert named(ours, theirs) == ["adapters [ours]", "adapters [theirs + safe]"]
    assert named(["a/x", "a/y"], ["b/x", "b/y"]) == ["adapters [a]", "adapters [b]"]
    assert named(["a", "b"], ["a", "a/b"]) == ["adapters [b]", "adapters [a]"]
    assert named(["b", "c"], ["b/b", "c"])[0] == "adapters [method.paths=['b', 'c']]"
    assert named(ours) == ["adapters"]


def test_other_files_at_the_same_paths_are_another_row(tmp_path: Path) -> None:
    ours, theirs = (digest(name) for name in ("ours", "theirs"))
    write_cell(tmp_path, "adapters", line, seed=0, changes={"method_files": ours})
    write_cell(tmp_path, "adapters", line, seed=1, changes={"method_files": theirs})
    write_cell(tmp_path, "clp", line)
    write_missing(tmp_path, "adapters", seed=1)  # whose files are not known
    (table,) = tables(tmp_path).tables
    labelled = {row.label: row.cells for row in table.rows}
    assert set(labelled) == {
        f"adapters [method.files={ours[:10]}]",
        f"adapters [method.files={theirs[:10]}]",
        "clp",
    }
    assert [len(cells) for cells in labelled.values()] == [1, 1, 1]


def test_another_set_of_files_supersedes_none(tmp_path: Path) -> None:
    for place in ("one", "two"):  # the same relative paths, from two folders
        changes = {"method_files": digest(place)}
        write_cell(tmp_path / place, "adapters", line, changes=changes)
    write_cell(tmp_path / "again", "adapters", line, changes=changes)
    found = tables(tmp_path)
    assert [len(row.cells) for row in found.tables[0].rows] == [1, 1]
    assert len(found.superseded) == 1


def test_adapters_from_elsewhere_have_an_unknown_cost(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    write_cell(tmp_path, "clp", line)
    write_cell(tmp_path, "adapters", line, changes={"cost_unknown": True})
    report = write_report([tmp_path])
    board = report.leaderboard.set_index("method")
    assert pd.isna(board.loc["adapters", "train_steps"]) and board.loc["adapters", "cost_unknown"]
    assert board.loc["clp", "train_steps"] > 0
    row = next(
        each
        for each in (report.folder / "leaderboard.md").read_text().splitlines()
        if each.startswith("| adapters‡")
    )
    assert "| unknown |" in row
    assert r"adapters$\ddagger$" in (report.folder / "leaderboard.tex").read_text()
    page = report.page.read_text(encoding="utf-8")
    assert "under the budget or of unknown cost" in " ".join(page.split())
    print_leaderboard(report)
    text = capsys.readouterr().out
    assert "adapters‡" in text and "‡ trained elsewhere, at an unknown cost" in text


def test_labels() -> None:
    options = {"method.rank": 8, "budget.steps": 120}
    assert labels([("clp", "", options), ("clp", "prompt", options)]) == ["clp", "clp (prompt)"]


def test_status_of_rows(sweep: Path) -> None:
    board = leaderboard(sweep).set_index("label")
    status = board["status"].to_dict()
    assert status["clp (full)"] == "ok"
    assert status["cos_dpo"] == "partial"  # one seed diverged
    assert status["morl"] == "partial"  # one seed was interrupted
    assert status["interpolation"] == "unsupported"
    assert status["modpo"] == "missing"
    assert board.loc["cos_dpo", ["seeds", "cells"]].tolist() == [1, 2]
    assert "loss is NaN at step 17" in board.loc["cos_dpo", "reason"]
    assert pd.isna(board.loc["modpo", "hypervolume"])
    assert board["table"].unique().tolist() == [1]


def test_all_cells_failed(tmp_path: Path) -> None:
    error = {"type": "ValueError", "message": "no", "stage": "train"}
    write_unscored(tmp_path, "clp", "failed", error=error)
    (row,) = leaderboard(tmp_path).to_dict(orient="records")
    assert (row["status"], row["seeds"], row["table"]) == ("failed", 0, 1)
    assert row["reason"] == "ValueError while in train: no"


def test_unreadable_cells_are_shown(sweep: Path) -> None:
    cells = frames.load_cells(sweep).set_index("path")
    reason = cells.loc[str(sweep / "stories" / "clp" / "seed9-aaaaaaaaaa"), "reason"]
    assert reason.startswith("record.json: cannot be read")


def broken_schema(cell: Path) -> None:
    record = json.loads((cell / "record.json").read_text())
    del record["normaliser"]
    (cell / "record.json").write_text(json.dumps(with_digest(record)))


def zero_std(cell: Path) -> None:
    record = json.loads((cell / "record.json").read_text())
    record["normaliser"]["std"] = [1.0, 0.0]
    (cell / "record.json").write_text(json.dumps(with_digest(record)))


def short_vector(cell: Path) -> None:
    record = json.loads((cell / "record.json").read_text())
    record["reference"] = [-2.0]
    (cell / "record.json").write_text(json.dumps(with_digest(record)))


def off_simplex(cell: Path) -> None:
    record = json.loads((cell / "record.json").read_text())
    record["points"][0]["preference"] = [0.9, 0.2]
    (cell / "record.json").write_text(json.dumps(with_digest(record)))


def change_scores(cell: Path, change: Any) -> None:
    path = cell / "scores.parquet"
    change(pd.read_parquet(path)).to_parquet(path)


@pytest.mark.parametrize(
    ("harm", "reason"),
    [
        (broken_schema, "normaliser: missing"),
        (
            zero_std,
            "normaliser.std.1: should be greater than or equal to 0.000000000000001",
        ),
        (short_vector, "reference has vectors of 1 values for 2 objectives"),
        (off_simplex, "preferences"),
        (
            lambda cell: (cell / "record.json").write_text('{"config":' * 100_000),
            "record.json: cannot be read (is nested too deeply)",
        ),
        (lambda cell: (cell / "scores.parquet").unlink(), "scores.parquet"),
        (lambda cell: (cell / "scores.parquet").write_bytes(b"PAR1"), "scores.parquet"),
        (
            lambda cell: change_scores(cell, lambda frame: frame.drop(columns="variety")),
            "has no column variety",
        ),
        (
            lambda cell: change_scores(cell, lambda frame: frame.assign(variety=float("nan"))),
            "not a finite number",
        ),
        (lambda cell: change_scores(cell, lambda frame: frame.iloc[:-1]), "pairs of point"),
    ],
)
def test_unusable_scores_are_reported(tmp_path: Path, harm: Any, reason: str) -> None:
    write_cell(tmp_path, "clp", line)
    harm(write_cell(tmp_path, "morl", line))
    found = tables(tmp_path)
    assert [cell.status for cell in found.cells] == ["ok", "unreadable"]
    assert reason in found.cells[1].reason
    assert "\n" not in found.cells[1].reason


def test_one_cell_per_seed_counts(tmp_path: Path) -> None:
    old = write_cell(tmp_path / "a", "clp", line)
    new = write_cell(
        tmp_path / "b", "clp", concave(3.0), changes={"created": "2025-06-01T00:00:00Z"}
    )
    found = tables(tmp_path)
    (row,) = found.tables[0].rows
    assert [replicate.cell.path for replicate in row.replicates] == [new]
    assert found.superseded == {old: new}
    ((replaced, counting, difference),) = row.replaced
    assert (replaced.path, counting.path) == (old, new) and difference == "has other scores"


def test_copies_of_a_cell_count_once_without_a_word(tmp_path: Path) -> None:
    write_cell(tmp_path / "a", "clp", line)
    write_cell(tmp_path / "b", "clp", line, changes={"created": "2025-06-01T00:00:00Z"})
    (row,) = tables(tmp_path).tables[0].rows
    assert len(row.replicates) == 1 and not row.replaced


@pytest.mark.parametrize("other", ["source_digest", "identity"])
def test_a_cell_that_other_code_or_files_replaced_is_named(tmp_path: Path, other: str) -> None:
    """As where a plug-in was edited and then restored: the restored one's cell is the older."""
    restored = write_cell(tmp_path / "a", "clp", line)
    changes = {"created": "2025-06-01T00:00:00Z", other: "0" * (64 if "_" in other else 10)}
    edited = write_cell(tmp_path / "b", "clp", concave(3.0), changes=changes)
    result = only(tmp_path)
    said = f"clp: {restored} has the same settings and seed as {edited}, but was made by other code"
    for told in (notes(result), warnings(result)):
        assert [each for each in told if each.startswith(said)]


def test_a_retry_elsewhere_makes_good(tmp_path: Path) -> None:
    write_missing(tmp_path / "a", "clp")
    write_cell(tmp_path / "b", "clp", line)
    assert leaderboard(tmp_path)["status"].tolist() == ["ok"]


def test_folders_count_once(sweep: Path) -> None:
    cells = find_cells(sweep, sweep / "stories", sweep / "stories" / "clp")
    assert len(cells) == len(find_cells(sweep))


def test_nothing_to_report(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="holds no cell"):
        find_cells(tmp_path)
    with pytest.raises(UsageError, match="is not a folder"):
        find_cells(tmp_path / "nowhere")
    write_missing(tmp_path, "clp")
    with pytest.raises(UsageError, match="no cell has scores"):
        frames.load_scores(tmp_path)


def test_notes_warn(tmp_path: Path) -> None:
    # `wide` gains most where the reference is far, `high` where it is near.
    write_cell(tmp_path, "wide", lambda mu: 3.0 * mu - 1.2, noise=0)
    over = {"cost": {"train_steps": 500}, "source_digest": digest("newer")}
    write_cell(tmp_path, "high", lambda mu: 0 * mu + 0.7, noise=0, changes=over)
    told = " ".join(notes(evaluate(tables(tmp_path).tables[0])))
    assert "The ranking depends on the reference point" in told
    assert "high: trained for 500 optimiser steps, above its cap of 120" in told
    assert "made by different source code" in told
    assert "With fewer than five" in told


def test_labels_name_a_section_before_its_options() -> None:
    quick = {"budget.name": "quick", "budget.steps": 120, "method.rank": 8}
    full = {"budget.name": "full", "budget.steps": 1000, "method.rank": 8}
    rows = [("clp", "", quick), ("clp", "", full), ("clp", "", full | {"method.rank": 4})]
    assert labels(rows) == [
        "clp [budget=quick, method.rank=8]",
        "clp [budget=full, method.rank=8]",
        "clp [budget=full, method.rank=4]",
    ]


def test_the_record_says_who_is_exempt(tmp_path: Path) -> None:
    write_cell(tmp_path, "clp", concave(2.5), changes={"exempt": True})
    write_cell(tmp_path, "morl", concave(2.0))
    (result,) = [evaluate(table) for table in tables(tmp_path).tables]
    first, second = result.rows
    assert (first.row.label, first.row.exempt, first.row.cap) == ("clp", True, None)
    assert (second.row.label, second.row.exempt, second.row.cap) == ("morl", False, 120)
    assert result.best(HYPERVOLUME) == set()  # one competitor has no other to beat
    # Distances are to the best under the budget, whom the exempt may be ahead of.
    assert first.figures["hypervolume_behind"] < 0
    assert "hypervolume_behind" not in second.figures
    assert leaderboard(tmp_path)["exempt"].tolist() == [True, False]


def test_recorded_notes_are_told_once(tmp_path: Path) -> None:
    write_cell(tmp_path, "clp", concave(2.5), changes={"notes": ["2 of 9 left out", "slow"]})
    write_cell(tmp_path, "morl", line, changes={"notes": ["2 of 9 left out", "2 of 9 left out"]})
    told = notes(evaluate(tables(tmp_path).tables[0]))
    assert [note for note in told if "left out" in note and "With fewer than five" not in note] == [
        "2 of 9 left out"
    ]
    assert "clp: slow" in told


def test_recorded_notes_of_folds(tmp_path: Path) -> None:
    for method in ("clp", "morl"):
        for index in (1, 2, 3):
            note = "3 of 9 left out" if index < 3 else "4 of 9 left out"
            write_cell(tmp_path, method, line, fold=(index, 3), changes={"notes": [note]})
    told = notes(evaluate(tables(tmp_path).tables[0]))
    assert told[-2:] == ["Folds 1–2: 3 of 9 left out", "Fold 3: 4 of 9 left out"]


@pytest.mark.parametrize("name", ["scores.parquet", "drift.parquet", "samples.jsonl"])
def test_measurements_of_another_cell_are_named(tmp_path: Path, name: str) -> None:
    """Such as files that were sorted by hand: they have the right form."""
    own = write_cell(tmp_path, "clp", line, digests=True)
    other = write_cell(tmp_path, "clp", line, seed=1, kl=9.0, text="Two foxes.", digests=True)
    result = only(tmp_path)
    assert "not the file that was recorded" not in " ".join(notes(result) + warnings(result))
    shutil.copy(other / name, own / name)
    result = only(tmp_path)
    for found in (notes(result), warnings(result)):
        assert f"clp/{own.name}: {name} is not the file that was recorded, so its" in found[0]


def test_an_edited_configuration_is_not_what_ran(tmp_path: Path) -> None:
    cell = write_cell(tmp_path, "clp", line, digests=True)
    with (cell / "config.yaml").open("a") as config:
        config.write("edited: true\n")
    (found,) = [warning for warning in warnings(only(tmp_path)) if "config.yaml" in warning]
    assert "but the cell ran with the configuration in its record.json" in found
