"""`paretosteer export-wandb`: the same runs as live, again without duplicates, no network."""

import os
import shutil
import socket
import subprocess
import sys
from contextlib import redirect_stdout
from io import StringIO
from pathlib import Path

import pandas as pd
import pytest
from wandb_files import OfflineRun, offline_runs

from paretosteer.commands.main import main

KEY = "0123456789abcdef0123456789abcdef01234567"


@pytest.fixture(scope="module")
def sweep(tracked: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The tracked sweep under another name without what wandb wrote, and an unfinished cell."""
    folder = tmp_path_factory.mktemp("moved") / "moved"
    shutil.copytree(tracked, folder, ignore=shutil.ignore_patterns("wandb"))
    (folder / "bandit" / "morl" / "seed0-0123456789").mkdir(parents=True)
    return folder


def without_tables(run: OfflineRun) -> list[dict[str, object]]:
    """History but for tables, whose artifacts have random names."""
    return [{k: v for k, v in row.items() if "." not in k} for row in run.history]


@pytest.fixture(scope="module")
def told(sweep: Path) -> list[str]:
    """The lines of its first export."""
    with redirect_stdout(StringIO()) as out:
        assert main(["export-wandb", str(sweep)]) == 0
    return out.getvalue().splitlines()


def test_an_export_is_what_live_tracking_wrote(tracked: Path, sweep: Path, told: list[str]) -> None:
    assert [line.split(":")[0] for line in told[:3]] == ["exported", "skipped", "exported"]
    assert told[1].endswith("missing: no record.json: interrupted, or still running")
    assert told[-1].endswith(f"to send them: wandb sync {sweep / 'wandb'}")
    exported = offline_runs(sweep)
    folders = (path.parent for path in tracked.rglob("record.json"))
    live = {name: run for folder in folders for name, run in offline_runs(folder).items()}
    (own,) = exported.keys() - live.keys()
    assert own.startswith("report-moved-") and live.keys() < exported.keys()
    for name, run in live.items():
        again = exported[name]
        assert without_tables(again) == without_tables(run)
        assert again.table("front") == run.table("front")
        assert again.config["method"] == run.config["method"]
        assert again.charts == run.charts
        assert again.artifacts["record"] == run.artifacts["record"]
        assert again.about["run_group"] == "moved"
        assert again.summary["hypervolume"] == run.summary["hypervolume"]
        # This machine did not do the work: its hardware and its command line are not the cell's.
        assert not again.of_type("stats") and not again.of_type("environment")


def test_a_second_export_replaces_the_first(sweep: Path, told: list[str]) -> None:
    first = offline_runs(sweep)
    assert main(["export-wandb", str(sweep), "--project", "other", "--group", "mine"]) == 0
    second = offline_runs(sweep)  # fails where two folders have one id
    assert second.keys() == first.keys()
    for run in second.values():
        assert (run.about["project"], run.about["run_group"]) == ("other", "mine")


DAMAGE = {
    "scores.parquet": ("", "scores.parquet: "),
    "samples.jsonl": ("{", "its files are damaged (JSONDecodeError: "),
    "drift.parquet": (None, "clp/seed2-0123456789: drift.parquet is not the file that was"),
    "training.csv": ("step,phase,loss\n1,one,many\n", "its files are damaged (ValueError: "),
}


def test_damaged_cells_are_skipped_with_the_reason(
    sweep: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    shutil.copytree(sweep / "stories", tmp_path / "stories")
    (whole,) = (sweep / "bandit" / "clp").iterdir()
    for place, (name, (content, _)) in enumerate(DAMAGE.items()):
        cell = shutil.copytree(whole, tmp_path / "bandit" / "clp" / f"seed{place}-0123456789")
        if content is None:  # a file of the right form
            columns = pd.read_parquet(cell / name)
            columns.assign(kl=columns["kl"] + 1).to_parquet(cell / name)
        else:
            (cell / name).write_text(content)
    assert main(["export-wandb", str(tmp_path)]) == 0
    skipped = [line for line in capsys.readouterr().out.splitlines() if line.startswith("skipped")]
    assert len(skipped) == len(DAMAGE)
    for place, (_, reason) in enumerate(DAMAGE.values()):
        cell = tmp_path / "bandit" / "clp" / f"seed{place}-0123456789"
        assert skipped[place].startswith(f"skipped: {cell}: {reason}")
    assert not [run for run in offline_runs(tmp_path) if run.startswith("bandit")]


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["nowhere"], "nowhere: is not a folder; give a folder that a sweep wrote"),
        (["empty"], "empty: holds no cell"),
        (["unfinished"], "DIR: none of the 1 cells in unfinished is finished; run the sweep again"),
        (["empty", "--project", "a/b"], "--project: found 'a/b'; use a name without any of"),
        (
            ["empty", "--dashboard", "--mode", "online"],
            "--entity: required with --dashboard --mode online",
        ),
    ],
)
def test_bad_input_is_one_line_and_exit_2(
    words: list[str],
    message: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("empty").mkdir()
    Path("unfinished/bandit/clp/seed0-0123456789").mkdir(parents=True)
    assert main(["export-wandb", *words]) == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert line.startswith(f"paretosteer: {message}")


def test_what_wandb_refuses_is_one_line_and_exit_2(
    sweep: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    import wandb

    def refuses(**about: object) -> None:
        raise wandb.Error("No API key\nconfigured")

    monkeypatch.setattr(wandb, "init", refuses)
    assert main(["export-wandb", str(sweep), "--mode", "online"]) == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert line.startswith("paretosteer: --mode, --project, --entity: wandb refused (No API key")


@pytest.mark.slow
def test_nothing_is_sent_offline_and_a_key_is_written_nowhere(sweep: Path, tmp_path: Path) -> None:
    folder = tmp_path / "guarded"
    shutil.copytree(sweep / "bandit", folder / "bandit")
    with socket.create_server(("127.0.0.1", 0)) as server:
        # wandb's service is a program of its own: whatever it sends would go through this proxy.
        proxy = f"http://127.0.0.1:{server.getsockname()[1]}"
        secret = {"WANDB_API_KEY": KEY, "HTTP_PROXY": proxy, "HTTPS_PROXY": proxy}
        program = (
            "import sys; from paretosteer.commands.main import main; sys.exit(main(sys.argv[1:]))"
        )
        words = [sys.executable, "-c", program, "export-wandb", str(folder)]
        done = subprocess.run(words, env=os.environ | secret, capture_output=True, text=True)
        assert done.returncode == 0, done.stderr
        server.setblocking(False)
        with pytest.raises(BlockingIOError):
            server.accept()
    written = [path for path in folder.rglob("*") if path.is_file()]
    assert [path for path in written if path.suffix == ".wandb"]
    assert not [path for path in written if KEY.encode() in path.read_bytes()]
    assert KEY not in done.stdout + done.stderr


def test_a_key_reaches_no_record_log_or_configuration_while_training(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("WANDB_API_KEY", KEY)
    words = ["budget=smoke", "method=start", "benchmark=bandit"]
    words += ["tracker=wandb", "tracker.mode=offline", f"sweep_dir={tmp_path}"]
    assert main(["sweep", *words]) == 0
    written = [path for path in tmp_path.rglob("*") if path.is_file()]
    assert {"record.json", "config.yaml"} <= {path.name for path in written}
    assert [path for path in written if path.suffix == ".wandb"]
    assert not [path for path in written if KEY.encode() in path.read_bytes()]
