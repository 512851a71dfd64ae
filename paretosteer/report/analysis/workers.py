"""Worker processes for large reports."""

from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from contextlib import contextmanager
from multiprocessing import get_context, parent_process

import psutil

from paretosteer.metrics.measure import Map

CELLS = 1000  # with fewer cells, starting processes takes longer than reading
CHUNK = 8  # items sent to a process at once


@contextmanager
def several(cells: int) -> Iterator[Map]:
    """A `map` that runs in several processes if there are enough cells.

    Processes are spawned, because a sweep's process has threads that do not survive a fork.
    """
    cores = len(psutil.Process().cpu_affinity()) if hasattr(psutil.Process, "cpu_affinity") else 1
    if cells < CELLS or cores == 1 or parent_process() is not None:
        yield map
        return
    with ProcessPoolExecutor(cores, mp_context=get_context("spawn")) as pool:
        yield lambda function, things: pool.map(function, things, chunksize=CHUNK)
