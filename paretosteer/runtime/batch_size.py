"""Number of rows sampled at once: a given number, or as many as memory holds."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import TypeVar

import torch

MOST = 512  # rows; more are not faster
SHARE = 0.5  # of the free memory to fill: the estimate is rough, and the device may be shared
CPU = torch.device("cpu")

T = TypeVar("T")


class EvalRows:
    """Rows per batch, for everything that one cell samples.

    Noise is a function of prompt and sample, so the samples do not depend on this number.

    Parameters
    ----------
    given
        A fixed number; None: start from an estimate of the memory of a row, and halve it whenever
        memory runs out.
    device
        Device of the policy.
    say
        Prints one line to the user.

    """

    def __init__(
        self,
        given: int | None,
        device: torch.device = CPU,
        say: Callable[[str], None] = lambda line: None,
    ):
        self.given, self.device, self._say = given, device, say
        self.used = given  # rows of the latest batch
        self._most = MOST

    def batches(
        self, total: int, row_bytes: int, work: Callable[[int, int], T], repeats: int = 1
    ) -> Iterator[T]:
        """`work(start, stop)` over `total` rows of `row_bytes` each, in turn.

        Work that samples every row `repeats` times gets so many times fewer rows.
        Work that runs out of memory is repeated on half as many rows, unless the number was given
        or is one already.
        """
        done, rows = 0, max(1, (self.given or self._fitting(row_bytes)) // repeats)
        while done < total:
            try:
                result = work(done, done + rows)
            except RuntimeError as error:
                if self.given or rows == 1 or not out_of_memory(error):
                    raise
                half = rows // 2 * repeats
                self._say(f"out of memory at {rows * repeats} rows at once, continuing with {half}")
                self._most, rows = half, rows // 2
                continue
            self.used = rows * repeats
            yield result
            done += rows

    def _fitting(self, row_bytes: int) -> int:
        return min(self._most, rows_that_fit(row_bytes, free_bytes(self.device)))


def rows_that_fit(row_bytes: int, free: int) -> int:
    """Largest power of two, at most `MOST`, whose rows fit a share of the free memory.

    A power of two, so that small changes of free memory do not change it.
    """
    fitting = int(SHARE * free) // max(1, row_bytes)
    return min(MOST, 1 << max(0, fitting.bit_length() - 1))


def free_bytes(device: torch.device) -> int:
    """Memory of the device that new tensors may take."""
    if device.type == "cuda":
        cached = torch.cuda.memory_reserved(device) - torch.cuda.memory_allocated(device)
        return int(torch.cuda.mem_get_info(device)[0]) + cached
    import psutil

    return int(psutil.virtual_memory().available)


def out_of_memory(error: RuntimeError) -> bool:
    """True if the error is that a device or the CPU is out of memory."""
    from accelerate.utils.memory import should_reduce_batch_size

    return isinstance(error, torch.cuda.OutOfMemoryError) or should_reduce_batch_size(error)
