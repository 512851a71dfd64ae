"""Bone Soup: backbones trained on mixed rewards, so that their soup reaches past their own ends.

"Bone Soups: A Seek-and-Soup Model Merging Approach for Controllable Multi-Objective Generation",
arXiv 2502.10762. Three steps: seek backbone rewards h = B r, soup with c = B^-T mu, extrapolate away
from the start model.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np

from paretosteer.conditioning import Banks
from paretosteer.control import Control
from paretosteer.errors import UsageError
from paretosteer.interfaces import Array, Benchmark
from paretosteer.method import Method, TrainingOptions, option
from paretosteer.metrics import hypervolume
from paretosteer.preferences import coarse_lattice
from paretosteer.rollout import validate
from paretosteer.trainer import Trainer

PROBE = 0.2  # share of a backbone's steps that every candidate beta trains for


class BoneSoup(Method):
    """m banks, bank j trained on row j of the mixing matrix B."""

    @dataclass(frozen=True)
    class Options(TrainingOptions):
        """Options of Bone Soup."""

        feedback: Literal["reward", "preference"] = option("reward", "what teaches the backbones")
        beta: float | None = option(None, "own weight of a backbone's objective; none: choose it")
        betas: tuple[float, ...] = option((0.6, 0.7, 0.8), "candidates when beta is chosen")
        mapping: Literal["inverse", "identity"] = option(
            "inverse", "coefficients B^-T mu, or mu itself (the ablation, reported unstable)"
        )
        extrapolation: Literal["code", "paper", "none"] = option(
            "code", "k = 1 / (1 - a) as in the released code, 1 + a as in the paper, or k = 1"
        )
        steps_out: tuple[float, ...] = option(
            (0.1, 0.2, 0.3, 0.4, 0.5), "values of a that extrapolation tries"
        )

    def check(self, objectives: int) -> None:
        """B is singular at beta = 1/m, and below it a backbone serves the others more than its own."""
        fixed_beta = self.options.beta is not None
        for beta in self._candidates():
            if not 1 / objectives < beta <= 1:
                argument = "method.beta" if fixed_beta else "method.betas"
                raise UsageError(
                    f"{argument}: {beta} with {objectives} objectives makes the mixing matrix singular "
                    f"or reversed; take a value above 1/{objectives} and at most 1"
                )

    def conditioning(self, objectives: int) -> Banks:
        """One bank per backbone."""
        return Banks(objectives, self.options.rank, self.options.alpha)

    def train(self, benchmark: Benchmark, trainer: Trainer) -> None:
        """Seek beta, train its backbones to the end of the budget, choose the extrapolation."""
        betas = self._candidates()
        m, o = len(benchmark.objectives), self.options
        self.start(benchmark, trainer.seed, Banks(m * len(betas), o.rank, o.alpha))
        feedback = [self.feedback(benchmark, trainer, o.feedback) for _ in range(m * len(betas))]
        optimisers = [None] * len(feedback)
        best = 0
        if len(betas) > 1:
            probe = round(PROBE * trainer.steps / (m * (PROBE * len(betas) + 1 - PROBE)))
            for bank in range(len(feedback)):
                optimisers[bank] = self._train(bank, betas, feedback, trainer, probe, optimisers)
            volumes = [self._volume(benchmark, trainer, c, beta) for c, beta in enumerate(betas)]
            best = int(np.argmax(volumes))
            self.selection["volumes"] = dict(zip(map(str, betas), volumes, strict=True))
        kept = range(best * m, best * m + m)
        for bank, steps in zip(kept, trainer.split(m), strict=True):
            self._train(bank, betas, feedback, trainer, steps, optimisers)
        self.policy.keep_banks(kept)
        self.selection["beta"] = betas[best]
        self.selection["k"] = self._extrapolate(benchmark, trainer)

    def control(
        self, preferences: Array, dials: Sequence[Mapping[str, float]] | None = None
    ) -> Control:
        """c = sum_i mu_i k_i B^-T e_i; negative coefficients are used as they are."""
        pull = np.asarray(self.selection["k"]) * np.asarray(preferences)
        if self.options.mapping == "identity":
            return Control.soup(pull)
        return Control.soup(pull @ coefficients(np.eye(self.m), self.selection["beta"]))

    def _candidates(self) -> tuple[float, ...]:
        o = self.options
        return o.betas if o.beta is None else (o.beta,)

    def _train(self, bank, betas, feedback, trainer, steps, optimisers):  # type: ignore[no-untyped-def]
        """Train one backbone of one candidate, going on where it stopped."""
        candidate, row = divmod(bank, self.m)
        weights = mixing_matrix(self.m, betas[candidate])[row]
        name = f"bank {row}" + (f", beta {betas[candidate]}" if len(betas) > 1 else "")
        return self.train_bank(
            bank, name, weights, feedback[bank], trainer, steps, optimisers[bank]
        )

    def _volume(self, benchmark: Benchmark, trainer: Trainer, candidate: int, beta: float) -> float:
        """Hypervolume on validation prompts of one candidate's soup."""
        grid = coarse_lattice(self.m)  # (k, m)
        c = np.zeros((len(grid), len(self._candidates()) * self.m))
        mapped = grid if self.options.mapping == "identity" else coefficients(grid, beta)
        c[:, candidate * self.m : (candidate + 1) * self.m] = mapped
        points = validate(self.policy, benchmark, Control.soup(c), trainer)
        return hypervolume(points, np.asarray(benchmark.reference))

    def _extrapolate(self, benchmark: Benchmark, trainer: Trainer) -> list[float]:
        """For each objective, the k whose end of the soup has the best mean of that objective."""
        o = self.options
        self.selection["k"] = [1.0] * self.m
        if o.extrapolation == "none":
            return self.selection["k"]
        tried = np.array([1 / (1 - a) if o.extrapolation == "code" else 1 + a for a in o.steps_out])
        ends = self.control(np.eye(self.m)).values.numpy()  # (m, m): theta(e_i) in coefficients
        c = (tried[None, :, None] * ends[:, None]).reshape(-1, self.m)  # (m * tried, m)
        means = validate(self.policy, benchmark, Control.soup(c), trainer)
        own = means.reshape(self.m, len(tried), self.m)[np.arange(self.m), :, np.arange(self.m)]
        return [float(k) for k in tried[own.argmax(axis=1)]]


def mixing_matrix(objectives: int, beta: float) -> Array:
    """B = (beta - gamma) I + gamma 11^T with gamma = (1 - beta) / (m - 1), (m, m): rows sum to 1."""
    gamma = (1 - beta) / (objectives - 1)
    return (beta - gamma) * np.eye(objectives) + gamma


def coefficients(preferences: Array, beta: float) -> Array:
    """Solve B^T c = mu for every row of (k, m): c_i = (mu_i - gamma) / (beta - gamma)."""
    gamma = (1 - beta) / (preferences.shape[1] - 1)
    return (preferences - gamma) / (beta - gamma)
