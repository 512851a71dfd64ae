"""Splits a batch into parts that fit a processor's cache, which speeds up a bootstrap."""

from collections.abc import Iterator

import numpy as np

from paretosteer.metrics.input_checks import FloatArray

_NUMBERS = 2**16


def blocks(count: int, width: int) -> Iterator[slice]:
    """Slices of `count` items, `width` numbers each, that hold about `_NUMBERS` numbers."""
    size = max(1, _NUMBERS // width)
    return (slice(start, start + size) for start in range(0, count, size))


def sets_last(points: FloatArray) -> FloatArray:
    """Points (…, k, m) as (m, k, b): operations over sets then read memory in order."""
    batch = points.reshape(-1, *points.shape[-2:])
    return np.ascontiguousarray(batch.transpose(2, 1, 0))
