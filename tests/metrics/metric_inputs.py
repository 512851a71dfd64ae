"""Inputs for the property tests: lattices, and points with plenty of ties."""

from itertools import product

import numpy as np
import numpy.typing as npt
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

Array = npt.NDArray[np.float64]

_values = st.one_of(st.integers(-8, 8).map(lambda n: n / 4), st.floats(-2, 2, width=32))


def lattice(m: int, divisions: int) -> Array:
    """All preferences with weights that are multiples of 1 / divisions."""
    rows = [row for row in product(range(divisions + 1), repeat=m) if sum(row) == divisions]
    return np.array(rows) / divisions


def point_sets(
    m: int | None = None, max_size: int = 7, rows: int | None = None
) -> st.SearchStrategy[Array]:
    """Sets (k, m) of two to four objectives."""
    objectives = st.just(m) if m else st.integers(2, 4)
    sizes = st.just(rows) if rows else st.integers(1, max_size)
    return st.tuples(sizes, objectives).flatmap(
        lambda shape: arrays(np.float64, shape, elements=_values)
    )


@st.composite
def two_sets(draw: st.DrawFn, aligned: bool = False) -> tuple[Array, Array]:
    """Two sets of the same objectives, and of the same size if aligned."""
    first = draw(point_sets())
    rows = len(first) if aligned else None
    return first, draw(point_sets(m=first.shape[1], rows=rows))


@st.composite
def steered(draw: st.DrawFn) -> tuple[Array, Array]:
    """A lattice and a point for each of its preferences."""
    m = draw(st.integers(2, 4))
    weights = lattice(m, draw(st.integers(1, 3)))
    return weights, draw(point_sets(m=m, rows=len(weights)))
