"""A real run is trusted; after changes to it or to its report it is not."""

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from filelock import FileLock
from omegaconf import OmegaConf
from whole_cells import book, write_unscored, write_whole_cell

from paretosteer.benchmarks.bandit.benchmark import Bandit
from paretosteer.cells.record import FailedRecord
from paretosteer.commands.main import main
from paretosteer.report import write_report
from paretosteer.storage.digest import with_digest
from paretosteer.storage.origin import reused
from paretosteer.validation import validate
from paretosteer.validation.verdict import Verdict


@pytest.fixture(scope="module")
def finished(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("finished") / "sweep"
    words = ["sweep", "method=rewarded_soup,morl", "benchmark=bandit", "budget=smoke", "seed=0,1"]
    assert main([*words, f"sweep_dir={folder}"]) == 0
    return folder


@pytest.fixture
def sweep(finished: Path, tmp_path: Path) -> Path:
    """The same somewhere else: a sweep may be moved."""
    return Path(shutil.copytree(finished, tmp_path / "moved"))


def cell(sweep: Path) -> Path:
    return min((sweep / "bandit" / "rewarded_soup").iterdir())


def change(path: Path, edit: Callable[[Any], object]) -> None:
    content = json.loads(path.read_text())
    edit(content)
    path.write_text(json.dumps(with_digest(content) if path.name == "record.json" else content))


def only(sweep: Path, name: str) -> Verdict:
    (verdict,) = [each for each in validate(sweep) if each.path.name == name]
    return verdict


def test_a_superseded_cell_is_in_no_row(sweep: Path) -> None:
    shutil.copytree(sweep / "bandit", sweep / "again" / "bandit")
    write_report([sweep])
    assert only(sweep, "report").line == "trusted"


def test_a_sweep_is_trusted_with_its_report(sweep: Path) -> None:
    found = list(validate(sweep))
    assert [each.kind for each in found] == ["cell"] * 4 + ["report"]
    assert {each.word for each in found} == {"trusted"}
    assert not any("computed again" in each.line or "follow" in each.line for each in found)


def test_folds_and_oracles_are_measured_again(tmp_path: Path) -> None:
    for index in (1, 2):
        for method in ("clp", "bone_soup"):
            write_whole_cell(tmp_path, method, fold=(index, 2), seed=index)
    said = {"type": "E", "message": 'one,\n"two"\u2028three', "stage": "train"}
    write_unscored(tmp_path, "morl", "failed", error=said)
    write_report([tmp_path])
    assert only(tmp_path, "report").line == "trusted"


def test_rows_on_other_grids_are_measured_again(tmp_path: Path) -> None:
    write_whole_cell(tmp_path, "clp")
    write_whole_cell(tmp_path, "morl", grid=[[0.75, 0.25], [0.25, 0.75]], noise=0.0)
    report = write_report([tmp_path])
    assert only(tmp_path, "report").line == "trusted"
    change(report.folder / "report.json", lambda content: content["tables"].pop())
    assert "hypervolume_ratio" in only(tmp_path, "report").line


def test_raw_units_and_measures_are_measured_again(tmp_path: Path) -> None:
    folder = write_whole_cell(tmp_path)
    losses = {"dpo_losses": [[0.5, 0.6], [0.6, 0.5], [0.7, 0.4]]}
    book(folder, main_objective="variety", measures=losses)
    write_report([tmp_path], raw_reference=(-9.0, -9.0))
    assert only(tmp_path, "report").line == "trusted"
    change(tmp_path / "report" / "report.json", lambda report: forge(report["tables"][0]))
    line = only(tmp_path, "report").line
    assert "hypervolume_raw" in line and "negative_dpo_loss_variety 9" in line


def forge(table: dict[str, Any]) -> None:
    table["raw_reference"] = [-8.0, -9.0]
    table["rows"][0]["figures"]["negative_dpo_loss_variety"] = 9


def test_measures_of_another_number_of_points_are_seen(tmp_path: Path) -> None:
    folder = write_whole_cell(tmp_path)
    book(folder, measures={"dpo_losses": [[0.5, 0.6]]})
    assert "measures.dpo_losses is not one row for each point" in only(tmp_path, folder.name).line


def test_words_that_a_spreadsheet_would_run_are_those_of_the_report(tmp_path: Path) -> None:
    write_whole_cell(tmp_path, variant="=1+1")
    write_whole_cell(tmp_path, "morl", names=("@sentiment", "variety"))
    write_report([tmp_path])
    assert only(tmp_path, "report").line == "trusted"


def test_reused_work_of_other_origins_is_noted(tmp_path: Path) -> None:
    folder = write_whole_cell(tmp_path)
    made = reused("by other code", ["train"]), reused("with torch 1 (here 2)", ["units"], " there")
    book(folder, notes=[*made, "made up, and reused"])
    verdict = only(tmp_path, folder.name)
    assert verdict.word == "trusted" and verdict.notes[-2:] == [
        "its record says: Made by other code, and reused: train",
        "its record says: Made with torch 1 (here 2), and reused there: units",
    ]


def test_a_configuration_that_was_changed_is_seen(sweep: Path) -> None:
    folder = cell(sweep)
    change(folder / "record.json", lambda record: record["config"]["method"].update(kappa=0.1))
    config = json.loads((folder / "record.json").read_text())["config"]
    (folder / "config.yaml").write_text(OmegaConf.to_yaml(config))
    line = only(sweep, folder.name).line
    assert "variant, train digest, sample digest, score digest, command do not follow" in line


def test_a_preference_that_was_not_asked_for_is_seen(sweep: Path) -> None:
    folder = cell(sweep)
    other = {"preference": [0.55, 0.45], "dials": {}}
    change(folder / "record.json", lambda record: record["points"].__setitem__(3, other))
    assert "not the 11 preferences asked for" in only(sweep, folder.name).line


@pytest.mark.parametrize(
    ("part", "value"),
    [
        ("preferences", {"name": "file", "path": "PIPE"}),
        ("method", {"name": "adapters", "paths": ["PIPE", "PIPE"]}),
    ],
)
def test_files_that_a_configuration_names_are_not_opened(
    sweep: Path, part: str, value: dict[str, Any]
) -> None:
    os.mkfifo(sweep / "pipe")
    forged = json.loads(json.dumps(value).replace("PIPE", str(sweep / "pipe")))
    change(cell(sweep) / "record.json", lambda record: record["config"].update({part: forged}))
    assert only(sweep, cell(sweep).name).word == "not trusted"


def test_another_version_of_a_benchmark_is_a_note(
    sweep: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Bandit, "version", "2")
    verdict = only(sweep, cell(sweep).name)
    assert verdict.word == "trusted"
    assert "made by another version of bandit (1, here 2)" in verdict.notes


def test_other_code_and_libraries_are_notes(sweep: Path) -> None:
    folder = cell(sweep)

    def elsewhere(record: dict[str, Any]) -> None:
        record["source_digest"] = "0" * 64
        record["versions"]["torch"] = "1.0"
        record["git"] = {"commit": "0123456789abcdef", "dirty": True}

    change(folder / "record.json", elsewhere)
    verdict = only(sweep, folder.name)
    assert verdict.word == "trusted"
    assert "made by other code (commit 0123456789 and changes)" in verdict.notes
    assert "torch 1.0 (here " in verdict.line


FORGED: dict[str, tuple[Callable[[Any], object], str]] = {
    "a hypervolume": (
        lambda report: report["tables"][0]["rows"][0]["figures"].update(hypervolume=9.9),
        "hypervolume 9.9 (from its points",
    ),
    "a controllability": (
        lambda report: report["tables"][0]["rows"][1]["figures"].update(controllability=0.1),
        "controllability 0.1 (from its points",
    ),
    "a regret": (
        lambda report: report["tables"][0]["rows"][0]["figures"].update(oracle_regret=0.0),
        "oracle_regret 0.0 (from its points",
    ),
    "a figure in raw units": (
        lambda report: report["tables"][0]["rows"][0]["figures"].update(mip_raw=9.9),
        "mip_raw 9.9 (from its points",
    ),
    "a loss that is gone": (
        lambda report: report["tables"][0]["rows"][0]["figures"].update(utility_loss=None),
        "utility_loss None (from its points",
    ),
    "a point": (
        lambda report: report["tables"][0]["rows"][0]["replicates"][1]["points"].__setitem__(
            0, [5.0, 5.0]
        ),
        "seed 1 are not those of its scores",
    ),
    "a row that is left out": (
        lambda report: report["tables"][0]["rows"].pop(),
        "2 cells with scores are in none of its rows",
    ),
    "a table of no form": (
        lambda report: report.update(tables=[{"rows": 3}]),
        "report.json is not a file that `report` writes",
    ),
}


@pytest.mark.parametrize("name", FORGED)
def test_a_forged_report_is_seen(sweep: Path, name: str) -> None:
    edit, message = FORGED[name]
    change(sweep / "report" / "report.json", edit)
    verdict = only(sweep, "report")
    assert message in verdict.line
    assert verdict.remedies == ["make the report again: paretosteer report"]


def test_a_forged_leaderboard_is_seen(sweep: Path) -> None:
    path = sweep / "report" / "leaderboard.csv"
    lines = path.read_text().splitlines()
    names, first = lines[0].split(","), lines[1].split(",")
    first[names.index("hypervolume")] = "99"
    path.write_text("\n".join([lines[0], ",".join(first), *lines[2:]]))
    assert "leaderboard.csv, row 1: hypervolume differ" in only(sweep, "report").line
    path.write_bytes(b"table\n\xff")
    assert "leaderboard.csv is not a table" in only(sweep, "report").line
    path.unlink()
    assert "leaderboard.csv is absent" in only(sweep, "report").line


@pytest.mark.parametrize(
    ("then", "message"),
    [
        (lambda sweep: shutil.rmtree(cell(sweep)), "1 removed"),
        (lambda sweep: write_whole_cell(sweep), "1 added"),
        (
            lambda sweep: change(cell(sweep) / "record.json", lambda r: r.update(created="later")),
            "1 changed",
        ),
    ],
)
def test_a_report_of_other_cells_is_stale(
    sweep: Path, then: Callable[[Path], object], message: str
) -> None:
    then(sweep)
    assert f"is stale; cells since it was made: {message}" in only(sweep, "report").line


def test_a_report_over_two_sweeps_is_not_measured_against_one(sweep: Path, finished: Path) -> None:
    write_report([sweep, finished])
    told = "no result: figures unchecked, 4 of its cells are elsewhere"
    assert only(sweep, "report").line == told


def test_a_page_that_was_changed_is_not_the_reports(sweep: Path) -> None:
    page, sums = sweep / "report" / "index.html", sweep / "report" / "SHA256SUMS"
    page.write_text(page.read_text().replace("hypervolume", "hypervolumes", 1))
    assert (
        "index.html was changed after the report was written; make the rep"
        in only(sweep, "report").line
    )
    page.unlink()
    assert "not trusted: index.html is absent" in only(sweep, "report").line
    sums.unlink()
    assert "with notes: SHA256SUMS is absent" in only(sweep, "report").line


def test_the_command_says_each_and_counts(sweep: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["validate", str(sweep)]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert len(lines) == 6
    assert lines[-1].startswith("4 cells: 4 trusted")
    assert lines[-1].endswith("1 report: 1 trusted")
    (cell(sweep) / "scores.parquet").unlink()
    assert main(["validate", str(sweep), "--json"]) == 1
    told = json.loads(capsys.readouterr().out)
    bad, report = [each for each in told if each["verdict"] == "not trusted"]
    assert "table 1: cannot be checked" in report["faults"][0]
    assert "scores.parquet is absent" in bad["faults"]
    assert bad["remedies"] == ["run the cell again"]


def test_cells_without_a_result_are_no_fault_and_steer_no_terminal(
    sweep: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    failed = cell(sweep)

    def fail(record: dict[str, Any]) -> None:
        for name in record.keys() - FailedRecord.model_fields.keys() - {"schema"}:
            del record[name]
        record["status"] = "failed"
        record["error"] = {"type": "E", "message": "\x1b[31mred\nline", "stage": "train"}

    change(failed / "record.json", fail)
    missing, busy = sorted((sweep / "bandit" / "morl").iterdir())
    (missing / "record.json").unlink()
    (busy / "record.json").unlink()
    shutil.rmtree(sweep / "report")
    with FileLock(busy / ".lock"):
        assert main(["validate", str(sweep)]) == 0
    told = capsys.readouterr().out
    assert main(["validate", str(failed), str(missing)]) == 1  # where nothing has a result
    assert f"{failed}: no result: failed, E while in train: \\x1b[31mred line\n" in told
    assert f"{missing}: no result: missing, no record.json: interrupted, or not started" in told
    assert f"{busy}: no result: missing, no record.json: a job is working on it" in told
    assert told.splitlines()[-1].endswith("3 no result")


@pytest.mark.parametrize("make", [lambda path: None, Path.mkdir, Path.touch])
def test_what_holds_no_cell_is_bad_usage(
    tmp_path: Path, make: Callable[[Path], None], capsys: pytest.CaptureFixture[str]
) -> None:
    make(tmp_path / "none")
    assert main(["validate", str(tmp_path / "none")]) == 2
    assert "give a folder that" in capsys.readouterr().err


def test_a_loop_of_folders_ends(tmp_path: Path) -> None:
    write_whole_cell(tmp_path)
    (tmp_path / "stories" / "again").symlink_to(tmp_path)
    assert [each.word for each in validate(tmp_path)] == ["trusted"]


@pytest.mark.parametrize("name", ["validate", "doctor"])
def test_help_imports_nothing_heavy(name: str) -> None:
    code = (
        f"import sys; from paretosteer.commands.main import main\ntry: main(['{name}', '--help'])\n"
        "except SystemExit: print(*{each.partition('.')[0] for each in sys.modules})"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    heavy = {"numpy", "omegaconf", "packaging", "pandas", "psutil", "pydantic", "torch"}
    assert "examples:" in done.stdout and not heavy & set(done.stdout.split())
