"""Folders of results for others: what they hold, that reports read them, and what is refused."""

import json
import shutil
from importlib import resources
from pathlib import Path
from typing import Any

import pytest
from report_cells import GRID, moved, write_cell, write_missing, write_unscored

from paretosteer import leaderboard
from paretosteer.cells.record import RECORD, write_record
from paretosteer.commands.main import main
from paretosteer.errors import UsageError
from paretosteer.publishing.published_folder import publish
from paretosteer.storage.digest import file_digest
from paretosteer.validation import validate


@pytest.fixture
def sweep(tmp_path: Path) -> Path:
    folder = tmp_path / "sweep"
    for seed in (0, 1):
        write_finished(folder, "clp", seed)
    write_finished(folder, "morl", 0)
    error = {"type": "DivergenceError", "message": "loss is NaN", "stage": "train"}
    write_unscored(folder, "ric", "failed", error=error)
    write_missing(folder, "mod")
    return folder


def write_finished(sweep: Path, method: str, seed: int) -> None:
    """Write a cell whose record names its files, one of them a checkpoint."""
    cell = write_cell(sweep, method, moved(seed), grid=GRID, seed=seed)
    (cell / "checkpoint").mkdir()
    (cell / "checkpoint" / "method.json").write_text("{}")
    record = json.loads((cell / RECORD).read_text())
    names = ("scores.parquet", "drift.parquet", "samples.jsonl", "checkpoint/method.json")
    record["files"] = {name: file_digest(cell / name) for name in names}
    record.pop("digest", None)
    write_record(cell, record)


def logs_in(folder: Path) -> list[dict[str, Any]]:
    return [json.loads(path.read_text()) for path in sorted((folder / "data").rglob("*.json"))]


def test_everything_but_checkpoints_is_published(
    sweep: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "public"
    assert main(["publish", str(sweep), "--out", str(out), "--organization", "Lab"]) == 0
    told = capsys.readouterr()
    assert f"published: {out}\n" in told.out
    assert "not published: no record.json" in told.err
    files = {path.relative_to(out).as_posix() for path in out.rglob("*") if path.is_file()}
    assert {"README.md", "index.html", "leaderboard.csv", "report.json"} <= files
    assert not any("checkpoint" in name for name in files)
    assert sum(name.endswith("scores.parquet") for name in files) == 3
    assert sum(name.endswith("record.json") for name in files) == 4
    card = (out / "README.md").read_text()
    assert card.startswith('---\npretty_name: "public"\ntags:\n- paretosteer\n')
    assert "| clp |" in card and "Cells: 1 failed, 3 ok." in card
    assert {log["source_metadata"]["source_organization_name"] for log in logs_in(out)} == {"Lab"}


@pytest.mark.parametrize("name", ["README.md", "data/**/*.json"])
def test_an_edit_of_a_published_file_is_found(sweep: Path, tmp_path: Path, name: str) -> None:
    out = publish([sweep], tmp_path / "public")
    assert not any("was changed" in verdict.line for verdict in validate(out))
    file = next(out.glob(name))
    file.write_text(file.read_text() + "\n")
    changed = [verdict for verdict in validate(out) if "was changed" in verdict.line]
    assert [verdict.path for verdict in changed] == [out]
    assert f"{file.relative_to(out)} was changed after the report was written" in changed[0].line


def test_what_was_published_without_samples_can_be_published_again(
    sweep: Path, tmp_path: Path
) -> None:
    first = publish([sweep], tmp_path / "first", samples=False)
    again = publish([first], tmp_path / "again")
    assert not list(again.rglob("samples.jsonl"))
    assert leaderboard(again)["hypervolume"].equals(leaderboard(first)["hypervolume"])


def test_the_card_names_the_licence(
    sweep: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "public"
    words = ["publish", str(sweep), "--out", str(out), "--license"]
    assert main([*words, "cc-by-4.0"]) == 0
    assert '\nlicense: "cc-by-4.0"\ntags:\n' in (out / "README.md").read_text()
    assert not any("was changed" in verdict.line for verdict in validate(out))
    assert main([*words, "mine: all"]) == 2
    assert "--license: found 'mine: all'; use the hub's" in capsys.readouterr().err


def test_reports_read_published_folders_back(sweep: Path, tmp_path: Path) -> None:
    out = publish([sweep], tmp_path / "public")
    own = tmp_path / "own"
    write_finished(own, "panacea", 0)
    before, after = leaderboard(sweep), leaderboard(out)
    figures = ["label", "hypervolume", "hypervolume_low", "rank", "tie_group"]
    scored = [frame[frame["status"] == "ok"][figures] for frame in (before, after)]
    assert scored[0].equals(scored[1])
    assert set(leaderboard(out, own)["method"]) == {"clp", "morl", "ric", "panacea"}
    # The same cell in two places counts once.
    assert len(leaderboard(sweep, out)) == len(before)


def test_published_cells_are_trusted_without_their_checkpoint(sweep: Path, tmp_path: Path) -> None:
    out = publish([sweep], tmp_path / "public", samples=False)
    assert not list(out.rglob("samples.jsonl"))
    (clp, *_) = [verdict for verdict in validate(out) if "clp" in str(verdict.path)]
    assert "was published without samples.jsonl, checkpoint/method.json" in clp.notes
    assert not [fault for fault in clp.faults if "samples" in fault or "checkpoint" in fault]
    assert [verdict.path for verdict in validate(out) if verdict.kind == "report"] == [out]
    (clp.path / "scores.parquet").unlink()
    (clp, *_) = [verdict for verdict in validate(out) if "clp" in str(verdict.path)]
    assert "scores.parquet is absent" in clp.faults


def test_logs_have_the_documented_fields(sweep: Path, tmp_path: Path) -> None:
    logs = logs_in(publish([sweep], tmp_path / "public"))
    assert len(logs) == 2
    for log in logs:
        assert {"schema_version", "evaluation_id", "retrieved_timestamp", "eval_library"} <= set(
            log
        )
        model = log["model_info"]
        assert model["id"].startswith("local/embedded--")
        assert all(isinstance(value, str) for value in model["additional_details"].values())
        names = [result["evaluation_result_id"] for result in log["evaluation_results"]]
        assert len(names) == len(set(names))
        assert {"hypervolume", "controllability", "controllability_sentiment", "kl"} <= set(names)
        (volume,) = [
            result
            for result in log["evaluation_results"]
            if result["evaluation_result_id"] == "hypervolume"
        ]
        interval = volume["score_details"]["uncertainty"]["confidence_interval"]
        assert interval["lower"] < volume["score_details"]["score"] < interval["upper"]
        assert volume["metric_config"]["lower_is_better"] is False
        assert volume["metric_config"]["min_score"] == 0


def test_logs_follow_the_schema(sweep: Path, tmp_path: Path) -> None:
    """Where `every-eval-ever` is installed, which needs Python 3.12."""
    package = pytest.importorskip("every_eval_ever")
    jsonschema = pytest.importorskip("jsonschema")
    schema = resources.files(package) / "schemas" / "eval.schema.json"
    for log in logs_in(publish([sweep], tmp_path / "public")):
        jsonschema.validate(log, json.loads(schema.read_text()))


def test_publishing_again_replaces(sweep: Path, tmp_path: Path) -> None:
    out = publish([sweep], tmp_path / "public")
    first = sorted(path.name for path in (out / "data").rglob("*.json"))
    publish([sweep], out)
    assert sorted(path.name for path in (out / "data").rglob("*.json")) == first


def test_folders_of_others_are_refused(sweep: Path, tmp_path: Path) -> None:
    foreign = tmp_path / "foreign"
    foreign.mkdir()
    (foreign / "thesis.tex").touch()
    with pytest.raises(UsageError, match="is not empty and was not written by publish"):
        publish([sweep], foreign)
    assert (foreign / "thesis.tex").exists()
    for out in (sweep, sweep / "public", sweep.parent):
        with pytest.raises(UsageError, match="contain each other"):
            publish([sweep], out)


def test_changed_files_are_refused(sweep: Path, tmp_path: Path) -> None:
    next(sweep.rglob("scores.parquet")).write_bytes(b"")
    with pytest.raises(UsageError, match=r"scores\.parquet is not the file that was recorded"):
        publish([sweep], tmp_path / "public")


def test_two_cells_of_one_name_are_refused(sweep: Path, tmp_path: Path) -> None:
    other = tmp_path / "other"
    shutil.copytree(sweep, other)
    publish([sweep, other], tmp_path / "public")
    record = next(other.rglob("clp/seed0*/record.json"))
    content = json.loads(record.read_text()) | {"command": "another"}
    content.pop("digest")
    write_record(record.parent, content)
    with pytest.raises(UsageError, match="another cell is named"):
        publish([sweep, other], tmp_path / "again")
