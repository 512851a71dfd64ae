"""Draws of preference weights for training: fixed ones, or new ones from a Dirichlet."""

from collections.abc import Callable
from dataclasses import dataclass, fields
from itertools import pairwise
from typing import Any

import numpy as np
from numpy.typing import NDArray

from paretosteer.interfaces import Array


@dataclass(frozen=True)
class Draws:
    """Training draws for n prompts: weights, and dials if the method conditions on them."""

    weights: Array  # (n, m)
    kappa: Array | None = None  # (n,), KL coefficients
    temperatures: Array | None = None  # (n, m), factors on DPO's beta
    targets: Array | None = None  # (n, m), normalised scores to write for; NaN: none
    examples: NDArray[np.int64] | None = None  # (n,), stored examples to learn from
    others: Array | None = None  # (n, m), other weights to contrast with

    def parts(self, count: int) -> list["Draws"]:
        """Split the draws into `count` runs of nearly equal length, none of them empty."""
        n = len(self.weights)
        edges = np.linspace(0, n, min(count, n) + 1).astype(int).tolist()
        return [self._part(slice(a, b)) for a, b in pairwise(edges)]

    def _part(self, span: slice) -> "Draws":
        every = {field.name: getattr(self, field.name) for field in fields(self)}
        rows: dict[str, Any] = {name: x[span] for name, x in every.items() if x is not None}
        return Draws(**rows)


Draw = Callable[[np.random.Generator, int], Draws]


def fixed(weights: Array) -> Draw:
    """Same training weights for every prompt."""
    return lambda rng, n: Draws(np.tile(weights, (n, 1)))


def dirichlet(objectives: int, concentration: float) -> Draw:
    """Training weights from a symmetric Dirichlet, one draw per prompt."""
    return lambda rng, n: Draws(rng.dirichlet(np.full(objectives, concentration), size=n))


def one_per_batch(draw: Draw) -> Draw:
    """Same training weights for all prompts of a batch, drawn anew for every batch."""
    return lambda rng, n: Draws(np.repeat(draw(rng, 1).weights, n, axis=0))
