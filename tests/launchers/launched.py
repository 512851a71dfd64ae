"""Sweeps as processes of their own, for tests that meddle with them while they run."""

import csv
import json
import os
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

LONG = ("benchmark=bandit", "budget.steps=3000")  # for clp, seconds in which it can be hit
TRAINING = "clp full seed 0: step "  # it says so from a quarter of its steps on

_THREADS = """
import torch
from paretosteer.sweeps.compose import CONFIG, hydra_app

def job(resolved):
    return torch.get_num_threads()

if __name__ == "__main__":
    import sys
    words = [*sys.argv[1:], "seed=0,1", "hydra.mode=MULTIRUN"]
    with hydra_app() as hydra:
        (jobs,) = hydra.multirun(CONFIG, job, words)
    print(*(job.return_value for job in jobs))
"""


class Sweep:
    """A running sweep, in a process group of its own, whose current folder is `folder`."""

    def __init__(self, folder: Path, *overrides: str, **variables: str):
        self.folder = folder
        self._said = folder / "said"
        program = Path(sys.executable).with_name("paretosteer")
        with self._said.open("w") as said:
            self.process = subprocess.Popen(
                [program, "sweep", "method=start,clp", "budget=smoke", "sweep_dir=out", *overrides],
                cwd=folder,
                env=os.environ | variables,
                stdout=said,
                stderr=said,
                start_new_session=True,
            )

    @property
    def said(self) -> str:
        """Output so far."""
        return self._said.read_text()

    def end(self, seconds: float = 240) -> int:
        """Wait for its exit code."""
        try:
            return self.process.wait(seconds)
        except subprocess.TimeoutExpired:
            self.process.kill()
            raise AssertionError(f"a sweep does not end:\n{self.said}") from None

    def problems(self) -> list[str]:
        """Its lines about what went wrong."""
        return [line for line in self.said.splitlines() if line.startswith("paretosteer: ")]

    def finished(self) -> set[tuple[str, int]]:
        """Method and seed of the cells whose record says ok."""
        records = [
            json.loads(path.read_text()) for path in self.folder.glob("out/*/*/*/record.json")
        ]
        return {(one["method"], one["seed"]) for one in records if one["status"] == "ok"}

    def reported(self) -> set[str]:
        """Methods that the report has figures of."""
        with (self.folder / "out" / "report" / "leaderboard.csv").open() as rows:
            return {row["method"] for row in csv.DictReader(rows) if row["hypervolume"]}


def until(holds: Callable[[], bool], sweep: Sweep, seconds: float = 120) -> None:
    """Wait for something to happen while a sweep runs."""
    end = time.monotonic() + seconds
    while not holds():
        assert sweep.process.poll() is None, f"it ended too early:\n{sweep.said}"
        assert time.monotonic() < end, f"it never came to pass:\n{sweep.said}"
        time.sleep(0.1)


def threads(folder: Path, *overrides: str) -> list[int]:
    """Torch's threads in two jobs, where no variable of ours says how many."""
    script = folder / "threads.py"
    script.write_text(_THREADS)
    free = {k: v for k, v in os.environ.items() if not k.endswith("_NUM_THREADS")}
    done = subprocess.run(
        [sys.executable, script, *overrides], cwd=folder, env=free, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr
    return [int(word) for word in done.stdout.split()]
