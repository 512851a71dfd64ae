"""Continuous weight interpolation: two anchors per attribute, one at each end of it.

Kangaslahti and Alvarez-Melis, "Continuous Language Model Interpolation for Dynamic and Controllable
Text Generation", arXiv 2404.07117. Anchors are trained by imitation of samples high and low in an
attribute; theta = theta_0 + sum_i lambda_i [alpha_i Delta_+i + (1 - alpha_i) Delta_-i]. The paper's
body could not be read: the formula is second-hand, its use for preferences (`control`) ours.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import product
from typing import ClassVar, Literal

import numpy as np

from paretosteer import (
    Array,
    Banks,
    Benchmark,
    Control,
    Method,
    Point,
    Trainer,
    TrainingOptions,
    UsageError,
    option,
    unit,
)


class Interpolation(Method):
    """2m banks: bank i imitates samples high in objective i, bank m + i samples low in it."""

    class Options(TrainingOptions):
        """Options of continuous interpolation."""

        feedback: ClassVar[str] = "imitation"
        control: Literal["alpha", "lambda"] = option(
            "alpha", "what the preference sets: alpha_i = mu_i / max mu, or lambda = mu"
        )
        scope: Literal["all", "attention"] = option(
            "all", "layers of the anchors: all linear layers, or attention (q, k, v, o)"
        )
        cube: int = option(2, "values per axis of a further grid over alpha; 0: no grid", least=0)
        cube_range: tuple[float, float] = option(
            (0.0, 1.0),
            "lowest and highest alpha of that grid; values below 0 or above 1 extrapolate",
        )

    def check(self, objectives: int) -> None:
        """Check that the cube's range is ascending."""
        low, high = self.options.cube_range
        if not low < high:
            raise UsageError(
                f"method.cube_range: found [{low:g}, {high:g}]; give the lowest alpha, then the "
                "highest"
            )

    def conditioning(self, objectives: int) -> Banks:
        """One bank per end of every objective."""
        o = self.options
        return Banks(2 * objectives, o.rank, o.alpha, o.scope, dropout=o.dropout)

    def train(self, benchmark: Benchmark, trainer: Trainer) -> None:
        """Train the anchors one after the other, sharing the budget evenly."""
        self.build_policy(benchmark, trainer.seed)
        for bank, steps in enumerate(trainer.split(2 * self.m)):
            end, i = divmod(bank, self.m)
            feedback = self.feedback(benchmark, trainer, self.options.feedback)
            name = f"{'low' if end else 'high'} {self.objectives[i].name}"
            weights = unit(self.m, i) * (-1 if end else 1)
            self.train_bank(bank, name, weights, feedback, trainer, steps)

    def points(self, grid: Array) -> list[Point]:
        """Grid, then the cube of alpha on which entanglement is measured."""
        low, high = self.options.cube_range
        axis = np.linspace(low, high, self.options.cube).tolist()
        names = [f"alpha_{o.name}" for o in self.objectives]
        cube = [] if not axis else [np.array(a) for a in product(axis, repeat=self.m)]
        return super().points(grid) + [
            Point(tuple(_toward(a).tolist()), dict(zip(names, a.tolist(), strict=True)))
            for a in cube
        ]

    def dials(self) -> Mapping[str, float]:
        """`alpha_<objective>`: 0 is the low anchor, 1 the high one; beyond is extrapolation."""
        return {f"alpha_{objective.name}": -np.inf for objective in self.objectives}

    def control(
        self, preferences: Array, dials: Sequence[Mapping[str, float]] | None = None
    ) -> Control:
        """c = (lambda alpha, lambda (1 - alpha)); dials `alpha_<objective>` take precedence."""
        mu = np.asarray(preferences, dtype=float)
        if self.options.control == "lambda":
            weight, alpha = mu.copy(), np.ones_like(mu)
        else:
            weight, alpha = np.full_like(mu, 1 / self.m), mu / mu.max(axis=1, keepdims=True)
        for row, dial in enumerate(dials or []):
            if dial:
                weight[row] = 1 / self.m
                alpha[row] = [dial.get(f"alpha_{o.name}", 0.5) for o in self.objectives]
        return Control.soup(np.hstack([weight * alpha, weight * (1 - alpha)]))


def _toward(alpha: Array) -> Array:
    """Preference in proportion to alpha above 0, (m,); equal weights where there is none."""
    above = np.maximum(alpha, 0)
    return above / above.sum() if above.sum() else np.full(len(alpha), 1 / len(alpha))
