"""Base class of methods that train one model for each of a few preferences."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from paretosteer.config.options import option
from paretosteer.interfaces import Array
from paretosteer.method import Method, TrainingOptions
from paretosteer.policies.conditioning import Banks
from paretosteer.policies.control import Control
from paretosteer.policies.prompt_tuning import prompt_tuning
from paretosteer.simplex import coarse_divisions, lattice, lattice_size


class ModelPerPreference(Method):
    """One bank per point of a training lattice; other preferences get the nearest point's.

    Every model gets the whole budget of optimiser steps, which exempts the method from the cap;
    with the option `share` they divide it.
    """

    @property
    def exempt(self) -> bool:  # type: ignore[override]
        """True unless the models share one budget."""
        return not self.options.share

    class Options(TrainingOptions):
        """Options of every method with one model per preference."""

        divisions: int | None = option(
            None, "divisions of the training lattice; null: half those of the default grid", least=1
        )
        share: bool = option(
            False, "share one budget among the models; the method is then not exempt"
        )
        prompt_tokens: int = option(
            0,
            "virtual tokens before the text, trained with each bank (plain prompt tuning)",
            least=0,
        )

    def conditioning(self, objectives: int) -> Banks:
        """One bank per trained preference."""
        return self.banks(self.models(objectives))

    def banks(self, count: int) -> Banks:
        """Low-rank banks under the options."""
        o = self.options
        return prompt_tuning(o.prompt_tokens)(count, o.rank, o.alpha, dropout=o.dropout)

    def total_steps(self, budget: int, objectives: int) -> int:
        """Budget times the number of models; with `share`, the budget."""
        return budget if self.options.share else budget * self.models(objectives)

    def control(
        self, preferences: Array, dials: Sequence[Mapping[str, float]] | None = None
    ) -> Control:
        """Bank of the nearest trained preference."""
        apart = np.linalg.norm(np.asarray(preferences)[:, None] - self.grid(self.m)[None], axis=-1)
        return Control.bank(apart.argmin(axis=1))

    def grid(self, objectives: int) -> Array:
        """Training preferences, (n, m)."""
        return lattice(objectives, self.divisions(objectives))

    def models(self, objectives: int) -> int:
        """Number of training preferences."""
        return lattice_size(objectives, self.divisions(objectives))

    def divisions(self, objectives: int) -> int:
        """Divisions of the training lattice."""
        return self.options.divisions or coarse_divisions(objectives)
