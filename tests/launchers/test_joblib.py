"""Sweeps with several cells at once on this machine."""

import os
import shlex
import signal
from pathlib import Path

import psutil
import pytest
from launched import LONG, TRAINING, Sweep, threads, until

from paretosteer.cells.cell import read_cell
from paretosteer.commands.main import main
from paretosteer.plugins import conf_files


@pytest.mark.slow
def test_two_jobs_share_the_cores(tmp_path: Path) -> None:
    share = max(1, len(os.sched_getaffinity(0)) // 2)
    assert threads(tmp_path, "launcher=joblib") == [share, share]


@pytest.mark.slow
def test_a_killed_worker_loses_its_cell_and_nothing_else(tmp_path: Path) -> None:
    sweep = hit(tmp_path)
    for child in psutil.Process(sweep.process.pid).children():
        if any("popen_loky" in word for word in child.cmdline()):
            child.kill()
    assert sweep.end() == 1
    (line,) = sweep.problems()
    assert line.startswith("paretosteer: the launcher failed: TerminatedWorkerError: ")
    assert sweep.said.endswith("1 of 2 cells failed\n")
    assert sweep.finished() == {("start", 0)}
    assert sweep.reported() == {"start"}

    again = Sweep(tmp_path, "launcher=joblib", *LONG)
    assert again.end() == 0
    assert again.said.count("finished before, reused") == 1
    assert again.finished() == {("start", 0), ("clp", 0)}


@pytest.mark.slow
def test_ctrl_c_leaves_no_process_behind(tmp_path: Path) -> None:
    sweep = hit(tmp_path)
    children = psutil.Process(sweep.process.pid).children(recursive=True)
    os.killpg(sweep.process.pid, signal.SIGINT)  # as a terminal does
    assert sweep.end() == 130
    assert sweep.said.endswith("paretosteer: interrupted; rerun the same command to resume\n")
    assert not psutil.wait_procs(children, timeout=10)[1]
    assert sweep.finished() == {("start", 0)}


def hit(folder: Path) -> Sweep:
    """A sweep on a terminal, of which one cell is finished and the other trains."""
    sweep = Sweep(folder, "launcher=joblib", *LONG, FORCE_COLOR="1")
    until(lambda: TRAINING in sweep.said and ("start", 0) in sweep.finished(), sweep)
    return sweep


@pytest.mark.slow
def test_workers_follow_the_sweep(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """One Python process, such as a notebook, of which the folder and the environment change."""
    words = ["sweep", "benchmark=bandit", "budget=smoke", "method=start", "seed=0,1"]
    for name in ("first", "second"):
        (tmp_path / name / "conf").mkdir(parents=True)
        monkeypatch.chdir(tmp_path / name)
        monkeypatch.setenv(conf_files.VARIABLE, str(tmp_path / name / "conf"))
        assert main([*words, "launcher=joblib", "sweep_dir=out"]) == 0
        commands = [cell.record.command for cell in map(read_cell, Path("out").glob("bandit/*/*"))]
        assert len(commands) == 2
        assert all(shlex.split(command)[-1] == f"{tmp_path}/{name}/conf" for command in commands)
