"""A batch in parts that stay in a processor's cache, so that a bootstrap is not spent on memory."""

from collections.abc import Iterator

import numpy as np

from paretosteer.metrics.input_checks import FloatArray

_NUMBERS = 2**16


def blocks(count: int, width: int) -> Iterator[slice]:
    """Slices of `count` things, each of so many that the things, `width` numbers each, are few."""
    size = max(1, _NUMBERS // width)
    return (slice(start, start + size) for start in range(0, count, size))


def sets_last(points: FloatArray) -> FloatArray:
    """Points (…, k, m) as (m, k, b): what is done to every set is then done along memory."""
    batch = points.reshape(-1, *points.shape[-2:])
    return np.ascontiguousarray(batch.transpose(2, 1, 0))
