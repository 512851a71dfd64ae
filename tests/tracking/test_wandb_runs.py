"""Content of wandb's offline files, read with wandb's own reader."""

import csv
import json
import re
from pathlib import Path
from typing import Any

import pytest
from wandb_files import OfflineRun, offline_runs, only_run

from paretosteer import load_points
from paretosteer.commands.main import main
from paretosteer.config.schema import WandbTracking
from paretosteer.report import write_report
from paretosteer.tracking import wandb_tracker
from paretosteer.tracking.wandb_tracker import WandbTracker

OFFLINE = WandbTracking(name="wandb", project="test", entity=None, group=None, mode=None)


def cell_of(sweep: Path, benchmark: str) -> Path:
    (found,) = (sweep / benchmark / "clp").glob("seed0-*")
    return found


@pytest.fixture(scope="module")
def stories(tracked: Path) -> OfflineRun:
    return only_run(cell_of(tracked, "stories"))


@pytest.fixture(scope="module")
def report(tracked: Path) -> OfflineRun:
    return only_run(tracked)


def test_a_run_is_the_cell_s(tracked: Path, stories: OfflineRun) -> None:
    record = json.loads((cell_of(tracked, "stories") / "record.json").read_text())
    name = rf"stories-clp-{record['identity']}-[0-9a-f]{{8}}-seed0"
    assert re.fullmatch(name, stories.about["run_id"])
    assert stories.about["run_group"] == "sweep one"
    assert stories.about["job_type"] == "stories"
    assert stories.config["method"] == record["config"]["method"]
    assert stories.config["seed"] == 0
    assert stories.artifacts["record"] == ["record.json"]
    assert stories.of_type("exit")[0]["exit_code"] == 0


def test_curves_are_the_training_log(tracked: Path, stories: OfflineRun) -> None:
    with (cell_of(tracked, "stories") / "training.csv").open(newline="") as stream:
        rows = list(csv.DictReader(stream))
    assert [row["_step"] for row in stories.history] == [int(row["step"]) for row in rows]
    for name in ("loss", "positive", "varied", "kl", "entropy"):
        logged = [row[f"train/{name}"] for row in stories.history]
        assert logged == [float(row[name]) for row in rows]
    last = rows[-1]
    speed = stories.history[-1]["train/tokens_per_second"]
    assert speed == pytest.approx(float(last["tokens"]) / float(last["seconds"]))


def test_the_front_is_a_table_with_charts(tracked: Path, stories: OfflineRun) -> None:
    front = stories.table("front")
    assert front["columns"] == ["point", "w_positive", "w_varied", "positive", "varied", "kl"]
    points = load_points(cell_of(tracked, "stories"))
    positive = points[points["objective"] == "positive"]["value"]
    assert [row[3] for row in front["data"]] == pytest.approx(positive.tolist())
    assert stories.charts == ["front/positive,varied", "responses"]
    lines = stories.table("responses_table")
    assert lines["columns"] == ["step", "lineKey", "lineVal"]
    assert [0, "positive", front["data"][-1][3]] in lines["data"]


def test_headline_metrics_are_in_the_summary(tracked: Path, stories: OfflineRun) -> None:
    board = write_report([cell_of(tracked, "stories")], out=tracked / "again").leaderboard.iloc[0]
    for name in ("hypervolume", "controllability", "steering_regret", "kl"):
        assert stories.summary[name] == pytest.approx(board[name])
    assert stories.summary["cost/train_steps"] == board["train_steps"]
    assert stories.summary["status"] == "ok"


def test_samples_are_a_table_of_texts(tracked: Path, stories: OfflineRun) -> None:
    lines = (cell_of(tracked, "stories") / "samples.jsonl").read_text().splitlines()
    assert len(lines) == 44
    samples = stories.table("samples")
    shown = [dict(zip(samples["columns"], row, strict=True)) for row in samples["data"]]
    assert {row["text"] for row in shown} == {json.loads(line)["text"] for line in lines}
    assert [row["point"] for row in shown[:11]] == list(range(11))  # one prompt at every point
    assert shown[0]["w_positive"] == 1
    assert {"positive", "varied"} <= shown[0].keys()


def test_samples_are_capped_and_the_summary_says_so(
    tracked: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(wandb_tracker, "SAMPLE_ROWS", 5)
    run = track(WandbTracker(OFFLINE), cell_of(tracked, "stories"), tmp_path)
    assert len(run.table("samples")["data"]) == 5
    assert (run.summary["samples/shown"], run.summary["samples/total"]) == (5, 44)


def test_a_world_without_texts_has_no_samples(tracked: Path) -> None:
    run = only_run(cell_of(tracked, "bandit"))
    assert "front" not in run.summary  # wandb flattens: a table is several keys
    assert run.table("front")["data"]
    assert not [key for key in run.summary if key.startswith("samples")]


def test_a_failed_cell_has_its_record_and_its_reason(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from paretosteer.training.scoring import Scorer

    def breaks(self: object, samples: object) -> None:
        raise RuntimeError("no judge")

    monkeypatch.setattr(Scorer, "raw", breaks)
    words = ["budget=smoke", "method=start", "benchmark=bandit", "tracker=wandb"]
    assert main(["run", *words, f"sweep_dir={tmp_path}"]) == 1
    (folder,) = (tmp_path / "bandit" / "start").glob("seed0-*")
    run = only_run(folder)
    assert run.summary["status"] == "failed"
    assert "no judge" in run.summary["reason"]
    assert run.artifacts == {"record": ["record.json"]}
    assert run.of_type("exit")[0]["exit_code"] == 1


def test_a_cell_whose_training_was_found_has_its_curves(tracked: Path, tmp_path: Path) -> None:
    live = only_run(cell_of(tracked, "stories"))
    again = track(WandbTracker(OFFLINE), cell_of(tracked, "stories"), tmp_path)
    drawn = [{k: v for k, v in row.items() if k[:6] == "train/"} for row in again.history]
    assert drawn == [{k: v for k, v in row.items() if k[:6] == "train/"} for row in live.history]


def test_a_sweep_s_report_is_a_run(tracked: Path, report: OfflineRun) -> None:
    assert re.fullmatch("report-sweep-one-[0-9a-f]{8}", report.about["run_id"])
    assert (report.about["run_group"], report.about["job_type"]) == ("sweep one", "report")
    board = report.table("leaderboard")
    assert {row[board["columns"].index("method")] for row in board["data"]} == {"clp"}
    assert len(board["data"]) == 2
    (logged,) = report.history
    page = report.folder / "files" / logged["page.path"]
    assert page.read_text() == (tracked / "report" / "index.html").read_text()
    drawn = {path.stem for path in (tracked / "report" / "figures").glob("*.png")}
    assert drawn == {key.split("/")[1].split(".")[0] for key in logged if key[:8] == "figures/"}
    assert report.summary["cells/ok"] == 2


def test_everything_stays_in_the_sweep(tracked: Path, stories: OfflineRun) -> None:
    for each in stories.of_type("artifact"):
        for entry in each["manifest"]["contents"]:
            assert Path(entry["local_path"]).is_relative_to(tracked)


@pytest.mark.parametrize(
    ("mode", "key", "expected"),
    [
        (None, None, ("offline", None)),
        (None, "k" * 40, ("online", "allow")),
        ("offline", "k" * 40, ("offline", None)),
        ("online", None, ("online", "allow")),
    ],
)
def test_a_run_is_resumed_online_and_online_is_for_those_with_a_key(
    mode: Any,
    key: str | None,
    expected: tuple[str, str | None],
    tracked: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    import wandb

    began: list[dict[str, Any]] = []
    monkeypatch.setattr(wandb, "init", lambda **about: began.append(about))
    monkeypatch.delenv("WANDB_MODE")
    if key:
        monkeypatch.setenv("WANDB_API_KEY", key)
    record = json.loads((cell_of(tracked, "stories") / "record.json").read_text())
    for _ in range(2):
        tracker = WandbTracker(OFFLINE.model_copy(update={"mode": mode}))
        tracker.start(record["config"], tmp_path, record["identity"], "clp seed 0")
    first, second = began
    assert (first["mode"], first["resume"]) == expected
    assert first["id"] == second["id"]


@pytest.mark.parametrize(
    ("change", "same"),
    [("threads=7", True), ("budget.test_prompts=3", False), ("preferences.divisions=2", False)],
)
def test_cells_that_were_evaluated_otherwise_have_runs_of_their_own(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, change: str, same: bool
) -> None:
    import wandb

    began: list[str] = []
    monkeypatch.setattr(wandb, "init", lambda **about: began.append(about["id"]) or Run())
    words = ["budget=smoke", "method=start", "benchmark=bandit", "tracker=wandb"]
    for name, more in (("one", []), ("two", [change])):
        assert main(["run", *words, *more, f"sweep_dir={tmp_path / name}"]) == 0
    one, two = [each for each in began if not each.startswith("report")]
    assert (one == two) is same


class Run:
    """Stands in for wandb's run; tracking stops at its first use."""


def track(tracker: WandbTracker, cell: Path, folder: Path) -> OfflineRun:
    """Show a finished cell in a run below another folder."""
    record: dict[str, Any] = json.loads((cell / "record.json").read_text())
    tracker.start(record["config"], folder, record["identity"], "clp seed 0")
    tracker.cell(cell)
    tracker.finish()
    tracker.finish()  # nothing left to end
    (run,) = offline_runs(folder).values()
    return run
