"""Bone Soup: backbones trained on mixed rewards, whose soup extrapolates beyond each of them.

"Bone Soups: A Seek-and-Soup Model Merging Approach for Controllable Multi-Objective Generation"
(arXiv 2502.10762). Three steps: seek backbone rewards h = B r, soup with c = B^-T mu, extrapolate
away from the start model.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Annotated, Literal

import numpy as np
from pydantic import Field
from torch.optim import Optimizer

from paretosteer import (
    Array,
    Banks,
    Benchmark,
    Control,
    Feedback,
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

PROBE = 0.2  # share of a backbone's steps spent on every candidate beta


@dataclass
class Candidate:
    """One beta with its banks and the state needed to resume their training."""

    beta: float
    banks: range
    feedback: list[Feedback]  # one per backbone
    optimisers: list[Optimizer | None]


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
            Candidate(
                beta,
                range(n * m, n * m + m),
                [self.feedback(benchmark, trainer, o.feedback) for _ in range(m)],
                [None] * m,
            )
            for n, beta in enumerate(betas)
        ]
        best = candidates[0]
        if len(candidates) > 1:
            probe = round(PROBE * trainer.steps / (m * (PROBE * len(betas) + 1 - PROBE)))
            for candidate in candidates:
                self._train(candidate, trainer, [probe] * m)
            volumes = [self._volume(candidate, benchmark, trainer) for candidate in candidates]
            best = candidates[int(np.argmax(volumes))]
            self.selection["volumes"] = dict(zip(map(str, betas), volumes, strict=True))
        self._train(best, trainer, trainer.split(m))
        self.policy.keep_banks(best.banks)
        self.selection["beta"] = best.beta
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

    def _train(self, candidate: Candidate, trainer: Trainer, steps: Sequence[int]) -> None:
        """Train a candidate's backbones on the rows of its matrix, resuming where they stopped."""
        matrix = mixing_matrix(self.m, candidate.beta)
        searched = f", beta {candidate.beta}" if len(self._betas()) > 1 else ""
        for row, bank in enumerate(candidate.banks):
            candidate.optimisers[row] = self.train_bank(
                bank,
                f"bank {row}{searched}",
                matrix[row],
                candidate.feedback[row],
                trainer,
                steps[row],
                candidate.optimisers[row],
            )

    def _volume(self, candidate: Candidate, benchmark: Benchmark, trainer: Trainer) -> float:
        """Hypervolume of one candidate's soup on validation prompts."""
        grid = coarse_lattice(self.m)  # (k, m)
        c = np.zeros((len(grid), self.m * len(self._betas())))
        c[:, candidate.banks] = self._mapped(grid, candidate.beta)
        points = validation_points(self.policy, benchmark, Control.soup(c), trainer)
        return hypervolume(points, benchmark.reference)

    def _extrapolate(self, benchmark: Benchmark, trainer: Trainer) -> list[float]:
        """For each objective, choose the k at whose vertex that objective's mean is highest."""
        o, m = self.options, self.m
        if o.extrapolation == "none":
            return [1.0] * m
        tried = np.array([1 / (1 - a) if o.extrapolation == "code" else 1 + a for a in o.steps_out])
        ends = self._mapped(np.eye(m), self.selection["beta"])  # (m, m): theta(e_i) in coefficients
        c = (tried[None, :, None] * ends[:, None]).reshape(-1, m)  # (m * tried, m)
        means = validation_points(self.policy, benchmark, Control.soup(c), trainer)
        own = means.reshape(m, len(tried), m)[np.arange(m), :, np.arange(m)]  # (m, tried)
        return [float(k) for k in tried[own.argmax(axis=1)]]

    def _mapped(self, preferences: Array, beta: float) -> Array:
        """Coefficients of preferences (k, m) before extrapolation."""
        if self.options.mapping == "identity":
            return preferences
        return coefficients(preferences, beta)
