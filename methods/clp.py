"""CLP, conditioned language policy: one multi-task run over all preferences.

Wang et al., "Conditioned Language Policy", arXiv 2407.15762. Weights are drawn from a Dirichlet,
one draw per prompt, and the policy is conditioned on them: m copies of some layers mixed by mu
(`full`, `attention`, `logit`), or the preference in the prompt (`prompt`). That the KL is part of
the reward and the baseline a control variate is recalled, not read in released code.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Literal

import numpy as np
from pydantic import PositiveFloat

from paretosteer import (
    Array,
    Banks,
    Benchmark,
    Conditioning,
    Control,
    Draw,
    Draws,
    Method,
    PromptText,
    Scope,
    Trainer,
    TrainingOptions,
    UsageError,
    dirichlet,
    option,
)

_SCOPES: dict[str, Scope] = {"full": "all", "attention": "attention", "logit": "head"}


class CLP(Method):
    """m banks in the variant's scope (or the preference as text), trained on sampled weights."""

    class Options(TrainingOptions):
        """Options of CLP."""

        variant: Literal["full", "attention", "logit", "prompt"] = option(
            "full",
            "where the preference enters: all linear layers, attention, head, or prompt",
        )
        feedback: str = option("reward", "training feedback")
        concentration: float = option(
            1.0, "Dirichlet concentration of the training weights", above=0
        )
        shared: bool = option(
            False,
            "train one more bank, whose coefficient is always 1",
            unless={"variant": ("prompt",)},
        )
        kappa_range: tuple[PositiveFloat, PositiveFloat] | None = option(
            None,
            "draw kappa log-uniformly from this range, which makes it a dial",
            only={"feedback": ("reward",)},
        )

    def check(self, objectives: int) -> None:
        """Check the range of kappa."""
        o = self.options
        if o.kappa_range and not 0 < o.kappa_range[0] < o.kappa_range[1]:
            raise UsageError(
                f"method.kappa_range: {o.kappa_range} is not a range; give 0 < low < high"
            )

    def conditioning(self, objectives: int) -> Conditioning:
        """Banks in the variant's scope, or text in the prompt."""
        o = self.options
        if o.variant == "prompt":
            return PromptText(o.rank, o.alpha, o.dropout)
        scope = _SCOPES[o.variant]
        return Banks(objectives + o.shared, o.rank, o.alpha, scope, dropout=o.dropout)

    def train(self, benchmark: Benchmark, trainer: Trainer) -> None:
        """Spend the whole budget on one model."""
        self.build_policy(benchmark, trainer.seed)
        feedback = self.feedback(benchmark, trainer, self.options.feedback)
        self.train_policy(
            feedback,
            trainer,
            self._draw(),
            lambda draws: self._control(draws.weights, draws.kappa),
        )

    def dials(self) -> Mapping[str, float]:
        """`kappa`, the weight of the KL to the start policy, if training varied it."""
        return {"kappa": 0.0} if self.options.kappa_range else {}

    def control(
        self, preferences: Array, dials: Sequence[Mapping[str, float]] | None = None
    ) -> Control:
        """c = mu, or mu as text; the dial `kappa` scales the change if training varied it."""
        if self.options.kappa_range is None:
            return self._control(preferences, None)
        kappa = [d.get("kappa", self.options.kappa) for d in dials or [{}] * len(preferences)]
        return self._control(preferences, np.array(kappa))

    def _draw(self) -> Draw:
        weights = dirichlet(self.m, self.options.concentration)
        if self.options.kappa_range is None:
            return weights
        low, high = np.log(self.options.kappa_range)

        def draw(rng: np.random.Generator, n: int) -> Draws:
            return Draws(weights(rng, n).weights, kappa=np.exp(rng.uniform(low, high, size=n)))

        return draw

    def _control(self, mu: Array, kappa: Array | None) -> Control:
        if self.options.variant == "prompt":
            return Control.text(
                [self._words(row, k) for row, k in zip(mu, _or_none(kappa, mu), strict=True)]
            )
        # A KL-regularised optimum moves from the start policy by mu . r / kappa.
        scale = np.ones((len(mu), 1)) if kappa is None else (self.options.kappa / kappa)[:, None]
        always = np.ones((len(mu), int(self.options.shared)))
        return Control.soup(np.hstack([mu * scale, always]))

    def _words(self, mu: Array, kappa: float | None) -> str:
        parts = [f"{o.name}: {w:.2f}" for o, w in zip(self.objectives, mu, strict=True)]
        parts += [] if kappa is None else [f"kappa: {kappa:.3f}"]
        return "; ".join(parts) + ". "


def _or_none(values: Array | None, like: Array) -> Sequence[float | None]:
    return [None] * len(like) if values is None else values.tolist()
