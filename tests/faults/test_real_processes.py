"""Real processes: interrupted, killed, and two that want the same thing."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pandas as pd
import pytest
from small_cells import contents

from paretosteer.cells.record import read_record

PARETOSTEER = Path(sys.executable).with_name("paretosteer")
SWEEP = (
    *("benchmark=bandit", "budget=smoke", "budget.steps=60", "budget.prompts=4"),
    *("preferences.divisions=1", "checkpoint_seconds=0", "method=clp,rewarded_soup"),
)


def start(*words: str) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [PARETOSTEER, *words],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        start_new_session=True,
    )


def wait_for(folder: Path, pattern: str, process: subprocess.Popen[str]) -> None:
    """Until the process has made a file; a process that ends before makes the test fail."""
    while not list(folder.glob(pattern)):
        assert process.poll() is None, process.stdout and process.stdout.read()
        time.sleep(0.01)


def cells(folder: Path) -> dict[str, dict[str, object]]:
    found = {path.parent.parent.name: path.parent for path in folder.rglob("record.json")}
    assert all(read_record(cell).status == "ok" for cell in found.values())
    return {name: contents(cell) for name, cell in found.items()}


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory: pytest.TempPathFactory) -> dict[str, dict[str, object]]:
    folder = tmp_path_factory.mktemp("whole")
    assert start("sweep", *SWEEP, f"sweep_dir={folder}").wait() == 0
    return cells(folder)


@pytest.mark.slow
def test_a_sweep_that_is_interrupted_goes_on(
    tmp_path: Path, undisturbed: dict[str, dict[str, object]]
) -> None:
    sweep = ("sweep", *SWEEP, f"sweep_dir={tmp_path}")
    process = start(*sweep)
    wait_for(tmp_path, "bandit/*/*/.train-*/0000.*.safetensors", process)
    os.killpg(process.pid, signal.SIGINT)
    told, _ = process.communicate(timeout=120)
    assert process.returncode == 130, told
    last = told.strip().splitlines()[-1]
    assert last == "paretosteer: interrupted; rerun the same command to resume"
    assert not list(tmp_path.rglob("record.json"))
    again = start(*sweep)
    told, _ = again.communicate(timeout=300)
    assert again.returncode == 0, told
    assert cells(tmp_path) == undisturbed


@pytest.mark.slow
def test_two_sweeps_in_one_folder_share_the_work(
    tmp_path: Path, undisturbed: dict[str, dict[str, object]]
) -> None:
    both = [start("sweep", *SWEEP, f"sweep_dir={tmp_path}") for _ in range(2)]
    told = [process.communicate(timeout=300)[0] for process in both]
    assert [process.returncode for process in both] == [0, 0], told
    assert cells(tmp_path) == undisturbed
    sampled = sum(text.count(": sampling ") for text in told)
    assert sampled == 2, told  # two cells, each by one of the sweeps
    assert pd.read_csv(tmp_path / "report" / "leaderboard.csv")["status"].tolist() == ["ok", "ok"]


@pytest.mark.slow
def test_two_jobs_that_want_one_start_model_make_it_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PARETOSTEER_CACHE", str(tmp_path / "cache"))
    words = ("run", "budget=smoke", "method=start", f"sweep_dir={tmp_path / 'cells'}")
    both = [start(*words, f"seed={seed}") for seed in (0, 1)]
    told = [process.communicate(timeout=300)[0] for process in both]
    assert [process.returncode for process in both] == [0, 0], told
    assert sum("training the embedded story model" in text for text in told) == 1, told
