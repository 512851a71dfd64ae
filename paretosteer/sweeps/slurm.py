"""State of SLURM jobs from the queue.

submitit asks `sacct`, which returns nothing on a cluster without accounting: there it would wait
forever for a cancelled job. A job that has left the queue is over; its outcome is read from its
cell's record.
"""

from __future__ import annotations

import time
from typing import Any

import submitit
from hydra.experimental.callback import Callback
from omegaconf import DictConfig
from submitit.core.core import InfoWatcher

from paretosteer.runtime.progress import say

SECONDS = 30  # between two queries of the queue, at most


class AskQueue(Callback):  # type: ignore[misc]
    """Hydra callback: before a sweep, make submitit query the queue."""

    def on_multirun_start(self, config: DictConfig, **kwargs: Any) -> None:
        """Replace submitit's watcher."""
        submitit.SlurmJob.watcher = QueueWatcher(delay_s=SECONDS)
        say(f"waiting for SLURM; the output of the jobs is in {config.hydra.sweep.dir}/.submitit")


class QueueWatcher(InfoWatcher):  # type: ignore[misc]
    """State of the jobs that this process submitted, as the queue lists them."""

    def read_info(self, string: bytes | str) -> dict[str, dict[str, str]]:
        """State of every job from a listing of the queue, one `JOB|STATE` a line."""
        text = string if isinstance(string, str) else string.decode()
        queue = dict(line.split("|") for line in text.split())
        return {job: {"State": queue.get(job, "GONE")} for job in self._registered}

    def get_state(self, job_id: str, mode: str = "standard") -> str:
        """`GONE`, or SLURM's state of a job in the queue; `UNKNOWN` if SLURM does not answer."""
        return str(self.get_info(job_id, mode=mode).get("State", "UNKNOWN"))

    def is_done(self, job_id: str, mode: str = "standard") -> bool:
        """True if a job has left the queue; a requeued one is in it."""
        return self.get_state(job_id, mode) == "GONE"

    @property
    def waiting(self) -> bool:
        """True if any job is still in the queue, or SLURM does not answer."""
        return not all([self.is_done(job) for job in self._registered])

    def _make_command(self) -> list[str]:
        return ["squeue", "--me", "--array", "--noheader", "--format=%i|%T"]


def outlast() -> None:
    """Wait until no job of this process is in the queue."""
    watcher = submitit.SlurmJob.watcher
    while isinstance(watcher, QueueWatcher) and watcher.waiting:
        time.sleep(1)
