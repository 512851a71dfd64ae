"""Sweeps on a real SLURM cluster: `make test-slurm`."""

import subprocess
from pathlib import Path

from launched import LONG, Sweep, threads, until

ON_SLURM = ("launcher=slurm", "seed=0,1")
LONGER = ("benchmark=bandit", "budget.steps=12000")  # a cancelled job has KillWait to end well
ALL = {("start", 0), ("start", 1), ("clp", 0), ("clp", 1)}


def test_cells_run_as_an_array_in_the_folder_and_environment_of_the_command(
    tmp_path: Path,
) -> None:
    cache = tmp_path / "cache"
    sweep = Sweep(tmp_path, *ON_SLURM, "benchmark=ranking", PARETOSTEER_CACHE=str(cache))
    assert sweep.end() == 0, sweep.said
    assert sweep.finished() == ALL
    assert sweep.reported() == {"start", "clp"}
    assert len(jobs(tmp_path)) == 4
    assert cache.is_dir()


def test_a_job_has_as_many_threads_as_cpus(tmp_path: Path) -> None:
    found = threads(tmp_path, "launcher=slurm", "hydra.launcher.cpus_per_task=1")
    assert found == [1, 1]  # the machine has more


def test_jobs_that_are_preempted_or_requeued_finish(tmp_path: Path) -> None:
    sweep = Sweep(tmp_path, *ON_SLURM, *LONG)
    until(lambda: len(training(tmp_path)) == 2, sweep)
    preempted, requeued = training(tmp_path)
    scancel(preempted, "--signal=TERM")
    scancel(preempted, "--signal=USR2")
    subprocess.run(["scontrol", "requeue", requeued], check=True)
    assert sweep.end() == 0, sweep.said
    assert sweep.finished() == ALL
    assert starts(tmp_path, preempted) == starts(tmp_path, requeued) == 2


def test_a_cancelled_job_loses_its_cell_and_the_others_are_reported(tmp_path: Path) -> None:
    sweep = Sweep(tmp_path, *ON_SLURM, *LONGER)
    until(lambda: len(training(tmp_path)) == 2, sweep)
    scancel(training(tmp_path)[0])
    assert sweep.end() == 1
    (line,) = sweep.problems()
    assert line.startswith("paretosteer: the launcher failed: UncompletedJobError: Job ")
    assert sweep.said.endswith("1 of 4 cells failed\n")
    assert len(sweep.finished()) == 3
    assert sweep.reported() == {"start", "clp"}

    again = Sweep(tmp_path, *ON_SLURM, *LONGER)
    assert again.end() == 0, again.said
    assert again.finished() == ALL


def scancel(job: str, *how: str) -> None:
    subprocess.run(["scancel", job, *how], check=True)


def jobs(folder: Path) -> dict[str, Path]:
    """Output of every job of the array, by its number."""
    logs = folder.glob("out/.hydra-jobs/.submitit/*/*_0_log.err")
    return {log.parent.name: log for log in sorted(logs)}


def training(folder: Path) -> list[str]:
    """The jobs that are in the midst of training."""
    return [job for job, log in jobs(folder).items() if "step" in log.read_text()]


def starts(folder: Path, job: str) -> int:
    """Number of times that a job was started."""
    return jobs(folder)[job].with_suffix(".out").read_text().count("Starting with")
