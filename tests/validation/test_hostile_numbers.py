"""Whatever number a record holds, `validate` has a verdict, and a report uses or names the cell."""

from __future__ import annotations

import json
import shutil
import warnings
from collections.abc import Iterator
from copy import deepcopy
from pathlib import Path
from typing import Any

import pytest
from whole_cells import book, write_whole_cell

from paretosteer.cells import record as records
from paretosteer.cells import scores
from paretosteer.cells.cell import read_cell
from paretosteer.report import write_report
from paretosteer.report.analysis.evaluate_table import evaluate
from paretosteer.report.analysis.tables import make_tables
from paretosteer.report.outputs.report_json import report_json
from paretosteer.storage.digest import with_digest
from paretosteer.validation import cell_verdict, evidence, validate

NUMBERS = {
    **{"10**400": 10**400, "1e308": 1e308, "-1e308": -1e308, "1e-320": 1e-320},
    **{"10**12": 10**12, "1e12": 1e12, "-1": -1, "0": 0},
}
Place = tuple[str | int, ...]


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A cell whose record has every number that a record can have."""
    folder = write_whole_cell(
        tmp_path_factory.mktemp("whole"),
        oracle=lambda mu: 3 * mu,
        fold=(1, 3),
        dials=({}, {"alpha": 0.5}),
    )
    model = {"source": "here", "held_out_pairs": 100, "accuracy": 0.7, "baseline_accuracy": 0.6}
    shutil.copy(folder / "scores.parquet", folder / "judge.parquet")
    book(
        folder,
        kl_coefficient=0.1,
        selection={"beta": 0.5, "volumes": [1.0, 2.0]},
        reward_models={
            "models": {"sentiment": model},
            "judges": {"sentiment": model},
            "judge_normaliser": {"mean": [0.0, 0.0], "std": [1.0, 1.0]},
        },
    )
    return folder


def leaves(value: Any, place: Place = ()) -> Iterator[Place]:
    """Places of the numbers; of lists only the first and the last."""
    if isinstance(value, dict):
        for name, part in value.items():
            yield from leaves(part, (*place, name))
    elif isinstance(value, list):
        for index in {0, len(value) - 1} if value else ():
            yield from leaves(value[index], (*place, index))
    elif isinstance(value, int | float) and not isinstance(value, bool):
        yield place


def changed(record: dict[str, Any], place: Place, number: float) -> dict[str, Any]:
    """The record with another number there, sealed as if it had been written so."""
    other = deepcopy(record)
    *above, last = place
    part: Any = other
    for step in above:
        part = part[step]
    part[last] = number
    return with_digest(other)


@pytest.mark.parametrize("name", NUMBERS)
def test_no_number_ends_a_report(whole: Path, name: str) -> None:
    good = json.loads((whole / "record.json").read_text())
    places = list(leaves(good))
    assert len(places) > 50
    try:
        for place in places:
            (whole / "record.json").write_text(json.dumps(changed(good, place, NUMBERS[name])))
            with warnings.catch_warnings():
                warnings.simplefilter("error")
                (cell,) = (found := make_tables([read_cell(whole)])).cells
                report_json(found, [evaluate(table) for table in found.tables])
            assert cell.scored or cell.reason.endswith("run the cell again"), place
            (verdict, *_) = validate(whole)
            assert cell.scored or verdict.word == "not trusted", (place, cell.reason)
            assert "could not be checked" not in verdict.line, place
    finally:
        (whole / "record.json").write_text(json.dumps(good))


@pytest.mark.figures
def test_the_other_cells_are_reported(tmp_path: Path) -> None:
    write_whole_cell(tmp_path, "start")
    odd = write_whole_cell(tmp_path, "clp")
    good = json.loads((odd / "record.json").read_text())
    hostile = changed(good, ("cost", "seconds", "train"), 10**400)
    (odd / "record.json").write_text(json.dumps(hostile))
    report = write_report([tmp_path])
    assert report.leaderboard["method"].tolist() == ["start"]
    (cell,) = report.problems
    assert (cell.path, cell.status) == (odd, "unreadable")
    assert "cost.seconds.train: should be a valid number, found 10000000000" in cell.reason
    assert cell.reason.endswith("run the cell again") and len(cell.reason) < 300


@pytest.mark.parametrize("text", ["NaN", "Infinity", "1e999"])
def test_a_record_without_a_digest_holds_finite_numbers_too(whole: Path, text: str) -> None:
    good = (whole / "record.json").read_text()
    bare = json.loads(good)
    del bare["digest"]
    bare["selection"] = {"beta": "HERE"}
    try:
        (whole / "record.json").write_text(json.dumps(bare).replace('"HERE"', text))
        assert "is not a finite number" in read_cell(whole).reason
    finally:
        (whole / "record.json").write_text(good)


def test_a_record_that_is_too_large_is_not_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = write_whole_cell(tmp_path)
    (folder / "record.json").write_text("[" * 3_000)
    for module in (records, cell_verdict):
        monkeypatch.setattr(module, "MOST_BYTES", 2_000)
    assert "has more than 2000 bytes" in read_cell(folder).reason
    (verdict,) = validate(folder)
    assert "record.json has more than 2000 bytes" in verdict.line


def test_a_table_of_too_many_rows_is_not_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = write_whole_cell(tmp_path)
    for module in (scores, evidence):
        monkeypatch.setattr(module, "MOST_ROWS", 11)
    told = "scores.parquet{} has 12 rows, more than 11"
    (cell,) = make_tables([read_cell(folder)]).cells
    assert told.format(":") in cell.reason
    (verdict,) = validate(folder)
    assert told.format("") in verdict.line
