"""Bone Soup: backbones trained on mixed rewards, whose soup extrapolates beyond each of them.

"Bone Soups: A Seek-and-Soup Model Merging Approach for Controllable Multi-Objective Generation"
(arXiv 2502.10762). Three steps: seek backbone rewards h = B r, soup with c = B^-T mu, extrapolate
away from the start model.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Annotated, Literal

import numpy as np
from pydantic import Field

from paretosteer import (
    Array,
    Banks,
    Benchmark,
    Control,
    Method,
    Trainer,
    TrainingOptions,
    UsageError,
    coarse_lattice,
    option,
    validation_points,
)
from paretosteer.metrics import hypervolume
from paretosteer.policies.mixing_matrix import check_beta, coefficients, mixing_matrix
from paretosteer.training.backbones import Backbones
from paretosteer.training.extrapolation import best_factors

PROBE = 0.2  # share of a backbone's steps spent on every candidate beta


class BoneSoup(Method):
    """m banks, bank j trained on row j of the mixing matrix B."""

    class Options(TrainingOptions):
        """Options of Bone Soup."""

        feedback: str = option("reward", "training feedback of the backbones")
        beta: float | None = option(
            None,
            "weight of a backbone's own objective; null: choose from betas",
            replaces=("betas",),
        )
        betas: tuple[float, ...] = option((0.6, 0.7, 0.8), "candidates for beta")
        mapping: Literal["inverse", "identity"] = option(
            "inverse", "coefficients B^-T mu, or mu itself (the ablation, reported unstable)"
        )
        extrapolation: Literal["code", "paper", "none"] = option(
            "code", "k = 1 / (1 - a) as in the released code, 1 + a as in the paper, or k = 1"
        )
        steps_out: tuple[Annotated[float, Field(gt=0, le=0.95)], ...] = option(
            (0.1, 0.2, 0.3, 0.4, 0.5),
            "values of a to try for extrapolation",
            unless={"extrapolation": ("none",)},
        )

    def check(self, objectives: int) -> None:
        """Check that every beta gives an invertible mixing matrix."""
        fixed_beta = self.options.beta is not None
        if not self._betas() or not self.options.steps_out:
            raise UsageError(
                "method.betas, method.steps_out: empty; name at least one value to try"
            )
        for beta in self._betas():
            check_beta(beta, objectives, "method.beta" if fixed_beta else "method.betas")

    def conditioning(self, objectives: int) -> Banks:
        """One bank per backbone."""
        o = self.options
        return Banks(objectives, o.rank, o.alpha, dropout=o.dropout)

    def train(self, benchmark: Benchmark, trainer: Trainer) -> None:
        """Choose beta, spend the remaining budget on its backbones, choose the extrapolation."""
        m, o = len(benchmark.objectives), self.options
        betas = self._betas()
        self.build_policy(benchmark, trainer.seed, self.conditioning(m * len(betas)))
        candidates = [
            Backbones(
                mixing_matrix(m, beta),
                range(n * m, n * m + m),
                [self.feedback(benchmark, trainer, o.feedback) for _ in range(m)],
                f", beta {beta}" if len(betas) > 1 else "",
            )
            for n, beta in enumerate(betas)
        ]
        best = 0
        if len(candidates) > 1:
            probe = round(PROBE * trainer.steps / (m * (PROBE * len(betas) + 1 - PROBE)))
            for candidate in candidates:
                candidate.train(self.train_bank, trainer, [probe] * m)
            volumes = [
                self._volume(beta, candidate.banks, benchmark, trainer)
                for beta, candidate in zip(betas, candidates, strict=True)
            ]
            best = int(np.argmax(volumes))
            self.selection["volumes"] = dict(zip(map(str, betas), volumes, strict=True))
        candidates[best].train(self.train_bank, trainer, trainer.split(m))
        self.policy.keep_banks(candidates[best].banks)
        self.selection["beta"] = betas[best]
        self.selection["k"] = self._extrapolate(benchmark, trainer)

    def control(
        self, preferences: Array, dials: Sequence[Mapping[str, float]] | None = None
    ) -> Control:
        """c = sum_i mu_i k_i B^-T e_i; negative coefficients are not clipped."""
        pull = np.asarray(self.selection["k"]) * np.asarray(preferences)
        return Control.soup(pull @ self._mapped(np.eye(self.m), self.selection["beta"]))

    def _betas(self) -> tuple[float, ...]:
        o = self.options
        betas: tuple[float, ...] = o.betas if o.beta is None else (o.beta,)
        return betas

    def _volume(self, beta: float, banks: range, benchmark: Benchmark, trainer: Trainer) -> float:
        """Hypervolume of one candidate's soup on validation prompts."""
        grid = coarse_lattice(self.m)  # (k, m)
        c = np.zeros((len(grid), self.m * len(self._betas())))
        c[:, banks] = self._mapped(grid, beta)
        points = validation_points(self.policy, benchmark, Control.soup(c), trainer)
        return hypervolume(points, benchmark.reference)

    def _extrapolate(self, benchmark: Benchmark, trainer: Trainer) -> list[float]:
        """For each objective, choose the k at whose vertex that objective's mean is highest."""
        o = self.options
        if o.extrapolation == "none":
            return [1.0] * self.m
        tried = np.array([1 / (1 - a) if o.extrapolation == "code" else 1 + a for a in o.steps_out])
        ends = self._mapped(np.eye(self.m), self.selection["beta"])  # theta(e_i) in coefficients
        return best_factors(self.policy, benchmark, ends, tried, trainer)

    def _mapped(self, preferences: Array, beta: float) -> Array:
        """Coefficients of preferences (k, m) before extrapolation."""
        if self.options.mapping == "identity":
            return preferences
        return coefficients(preferences, beta)
