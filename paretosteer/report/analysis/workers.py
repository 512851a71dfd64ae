"""The work of a large report, on every core: what is done for each cell and each row."""

from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ProcessPoolExecutor
from contextlib import contextmanager
from multiprocessing import get_context, parent_process
from typing import Any, Protocol

import psutil

CELLS = 1000  # fewer are read sooner than processes start
CHUNK = 8  # things sent to a process at once


class Map(Protocol):
    """Like `map`: a function of one thing, applied to many, in their order."""

    def __call__(self, function: Callable[[Any], Any], things: Iterable[Any], /) -> Iterable[Any]:
        """Apply the function."""
        ...


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
