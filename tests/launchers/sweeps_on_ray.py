"""Sweeps on real Ray clusters: `make test-ray`."""

import os
import re
import secrets
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from launched import LONG, TRAINING, Sweep, threads, until

PORT = 6399


@pytest.fixture(autouse=True)
def _token(monkeypatch: pytest.MonkeyPatch) -> None:
    """A token of the test's own, so that none is written to the user's home."""
    monkeypatch.setenv("RAY_AUTH_MODE", "token")
    monkeypatch.setenv("RAY_AUTH_TOKEN", secrets.token_hex(32))


@pytest.fixture
def cluster(tmp_path: Path) -> Iterator[Path]:
    """The current folder of a cluster that was started without a thought of any sweep."""
    folder = tmp_path / "elsewhere"
    folder.mkdir()
    program = Path(sys.executable).with_name("ray")
    start = f"start --head --block --port={PORT} --num-cpus=4 --include-dashboard=false"
    own = tempfile.TemporaryDirectory(prefix="ray-")  # a short path: sockets are in it
    with own, (tmp_path / "said").open("w") as said:
        head = subprocess.Popen(
            [program, *start.split(), "--disable-usage-stats", f"--temp-dir={own.name}"],
            cwd=folder,
            env={k: v for k, v in os.environ.items() if not k.startswith("PARETOSTEER")},
            stdout=said,
            stderr=said,
            start_new_session=True,
        )
        yield folder
        os.killpg(head.pid, signal.SIGTERM)
        head.wait(60)


def test_a_cluster_that_runs_already_works_in_the_folder_and_environment_of_the_command(
    tmp_path: Path, cluster: Path
) -> None:
    home = tmp_path / "home"
    home.mkdir()
    address = f"hydra.launcher.ray.init.address=127.0.0.1:{PORT}"
    cache = str(tmp_path / "cache")
    words = ("launcher=ray", "seed=0,1", "benchmark=ranking", address)
    sweep = Sweep(home, *words, PARETOSTEER_CACHE=cache)
    assert sweep.end() == 0, sweep.said
    assert sweep.finished() == {("start", 0), ("start", 1), ("clp", 0), ("clp", 1)}
    assert sweep.reported() == {"start", "clp"}
    assert len(re.findall(r"ok(?: in [\d:]+)?: out/ranking", sweep.said)) == 4
    assert Path(cache).is_dir()
    assert not list(cluster.iterdir())


def test_a_job_has_as_many_threads_as_cpus(tmp_path: Path) -> None:
    assert threads(tmp_path, "launcher=ray") == [1, 1]


def test_a_killed_worker_is_replaced(tmp_path: Path) -> None:
    sweep = hit(tmp_path)
    assert sweep.end() == 0, sweep.said
    assert sweep.finished() == {("start", 0), ("clp", 0)}


def test_a_worker_killed_once_too_often_loses_its_cell_and_nothing_else(tmp_path: Path) -> None:
    sweep = hit(tmp_path, "hydra.launcher.ray.remote.max_retries=0")
    assert sweep.end() == 1
    (line,) = sweep.problems()
    assert line.startswith("paretosteer: the launcher failed: WorkerCrashedError: ")
    assert "1 of 2 cells failed" in sweep.said
    assert sweep.finished() == {("start", 0)}
    assert sweep.reported() == {"start"}

    again = Sweep(tmp_path, "launcher=ray", *LONG)
    assert again.end() == 0, again.said
    assert again.finished() == {("start", 0), ("clp", 0)}


def hit(folder: Path, *overrides: str) -> Sweep:
    """A sweep whose second cell was killed in training, when the first was finished."""
    sweep = Sweep(folder, "launcher=ray", *LONG, *overrides)
    until(lambda: TRAINING in sweep.said and ("start", 0) in sweep.finished(), sweep)
    worker = re.search(rf"pid=(\d+)\).*{TRAINING}", sweep.said)
    assert worker, sweep.said
    os.kill(int(worker[1]), signal.SIGKILL)
    return sweep
