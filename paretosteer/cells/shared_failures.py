"""Errors in work that the cells of a sweep share: each is raised again, not computed again.

Start model, reward models and normaliser depend on the benchmark's part of the configuration only.
Where they cannot be prepared for one cell, they cannot for any other with the same part.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from paretosteer.errors import DivergenceError, ScoringError, UsageError

if TYPE_CHECKING:
    from paretosteer.cells.plan import CellPlan

REPEATABLE = (UsageError, DivergenceError, ScoringError)


class SharedFailures:
    """Errors of shared preparation so far, by `CellPlan.preparation`."""

    def __init__(self) -> None:
        self._errors: dict[str, Exception] = {}

    @contextmanager
    def once(self, plan: CellPlan) -> Iterator[None]:
        """Remember an error of the block; raise it at once where it was raised before."""
        if (earlier := self._errors.get(plan.preparation)) is not None:
            raise earlier
        try:
            yield
        except REPEATABLE as error:
            self._errors[plan.preparation] = error
            raise
