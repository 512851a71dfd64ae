"""The work of a large report, on every core: what is done for each cell and each row."""

from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from contextlib import contextmanager
from multiprocessing import get_context, parent_process

import psutil

from paretosteer.metrics.measure import Map

CELLS = 1000  # fewer are read sooner than processes start
CHUNK = 8  # things sent to a process at once


@contextmanager
def several(cells: int) -> Iterator[Map]:
    """`map` for the report of so many cells: in several processes where that pays.

    Processes are started afresh, since a sweep's has threads that do not survive a fork.
    """
    cores = len(psutil.Process().cpu_affinity()) if hasattr(psutil.Process, "cpu_affinity") else 1
    if cells < CELLS or cores == 1 or parent_process() is not None:
        yield map
        return
    with ProcessPoolExecutor(cores, mp_context=get_context("spawn")) as pool:
        yield lambda function, things: pool.map(function, things, chunksize=CHUNK)
