"""COS-DPO: one policy conditioned on the weights, fine-tuned on preferences with listwise DPO.

Ren et al., "COS-DPO: Conditioned One-Shot Multi-Objective Fine-Tuning", arXiv 2410.08316. The loss
of Weight-COS-DPO follows second-hand notes, that of Temperature-COS-DPO is recalled. A loss that
depends on beta and the scores only through beta (s - s_start) needs no training for a common factor
k of all temperatures: s(w, k beta) = s_start + (s(w, beta) - s_start) / k.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from functools import cached_property
from typing import Literal

import numpy as np
import torch
from pydantic import PositiveFloat

from paretosteer import (
    Array,
    Benchmark,
    Conditioning,
    Control,
    Draw,
    Draws,
    Method,
    Point,
    Trainer,
    TrainingOptions,
    UsageError,
    dirichlet,
    option,
)

_CONTROLS = ("soup", "features", "mixture")  # kinds of control that carry weights as numbers


class COSDPO(Method):
    """One policy conditioned on weights (and temperatures), trained on preference feedback."""

    class Options(TrainingOptions):
        """Options of COS-DPO."""

        variant: Literal["weight", "temperature"] = option(
            "weight", "condition on the weights, or on weights and temperatures"
        )
        feedback: str = option("preference", "training feedback; reward makes it CLP with features")
        condition: str = option(
            "features",
            "features (a soft prompt in text), banks, tied_banks, mixture or another conditioning; "
            "none: the negative control",
        )
        concentration: float = option(
            0.3, "Dirichlet concentration of the training weights; low: near the vertices", above=0
        )
        tokens: int = option(4, "soft prompt vectors", least=1)
        hidden: int = option(64, "hidden width of the soft prompt's network", least=1)
        spread: float = option(
            2.0, "temperature: training draws factors between 1/spread and spread", least=1
        )
        dial: tuple[PositiveFloat, ...] = option(
            (0.5, 2.0), "temperature: values of the second dial to evaluate besides 1"
        )

    def check(self, objectives: int) -> None:
        """Check that the conditioning reads weights, and temperatures if the variant uses them."""
        o, kind = self.options, self._kind
        if o.variant == "temperature" and o.feedback != "preference":
            raise UsageError(
                "method.feedback: only preference has temperatures; set "
                "method.feedback=preference or method.variant=weight"
            )
        if kind.steered_by not in _CONTROLS:
            raise UsageError(
                f"method.condition: {o.condition!r} is steered by {kind.steered_by}, but COS-DPO "
                f"needs one of {', '.join(_CONTROLS)}; set method.condition=features"
            )
        reads_temperatures = kind.steered_by == "features" and o.condition != "none"
        if o.variant == "temperature" and not reads_temperatures:
            raise UsageError(
                f"method.condition: {o.condition!r} cannot read temperatures; "
                "set method.condition=features or method.variant=weight"
            )

    def conditioning(self, objectives: int) -> Conditioning:
        """Of the chosen kind, for the weights and, in that variant, the temperatures."""
        size = 2 * objectives if self.options.variant == "temperature" else objectives
        return self._kind.of(size, self.options)

    def train(self, benchmark: Benchmark, trainer: Trainer) -> None:
        """Spend the whole budget on one policy."""
        self.build_policy(benchmark, trainer.seed)
        trainer.fit(
            "all preferences",
            self.policy,
            self.feedback(benchmark, trainer, self.options.feedback),
            draw=self._draw(),
            control=self._control,
            parameters=self.policy.parameters(),
            steps=trainer.steps,
            optimiser=self.options.learning_rate,
        )

    def points(self, grid: Array) -> list[Point]:
        """Grid; the temperature variant repeats it at every value of the dial."""
        points = super().points(grid)
        if self.options.variant == "weight":
            return points
        return points + [
            replace(point, dials={"temperature": k}) for k in self.options.dial for point in points
        ]

    def dials(self) -> Mapping[str, float]:
        """Temperature variant: `temperature` of all, `temperature_<objective>` of one."""
        if self.options.variant == "weight":
            return {}
        own = [f"temperature_{objective.name}" for objective in self.objectives]
        return dict.fromkeys(["temperature", *own], 0.0)

    def control(
        self, preferences: Array, dials: Sequence[Mapping[str, float]] | None = None
    ) -> Control:
        """Feature vectors, or c = mu. `temperature` scales all objectives, the others one each."""
        if self.options.variant == "weight":
            return self._control(Draws(preferences))
        dials = dials or [{}] * len(preferences)
        common = np.array([d.get("temperature", 1.0) for d in dials])
        own = np.array(
            [[d.get(f"temperature_{o.name}", 1.0) for o in self.objectives] for d in dials]
        )
        relative, mean = _split(own)
        control = self._control(Draws(preferences, temperatures=relative))
        factor = torch.as_tensor(common * mean, dtype=torch.float32)
        return replace(control, sharpness=None if (factor == 1).all() else 1 / factor)

    @cached_property
    def _kind(self) -> type[Conditioning]:
        """Class of the conditioning; UsageError for an unknown name."""
        name = self.options.condition
        return self.conditioning_kind("features" if name == "none" else name)

    def _draw(self) -> Draw:
        weights = dirichlet(self.m, self.options.concentration)
        if self.options.variant == "weight":
            return weights
        bound = np.log(self.options.spread)

        def draw(rng: np.random.Generator, n: int) -> Draws:
            factors = np.exp(rng.uniform(-bound, bound, size=(n, self.m)))
            return Draws(weights(rng, n).weights, temperatures=_split(factors)[0])

        return draw

    def _control(self, draws: Draws) -> Control:
        mu, steered_by = draws.weights, self._kind.steered_by
        if self.options.condition == "none":
            return Control.features(np.zeros_like(mu))
        if steered_by == "soup":
            return Control.soup(mu)
        if steered_by == "mixture":
            return Control.mixture(np.insert(mu, 0, 0.0, axis=1))  # without the start policy
        centred = self.m * mu - 1  # 0 for equal weights
        if draws.temperatures is None:
            return Control.features(centred)
        return Control.features(np.hstack([centred, np.log(draws.temperatures)]))


def _split(temperatures: Array) -> tuple[Array, Array]:
    """Split temperatures (n, m) into relative ones of geometric mean 1, and that mean (n,).

    The network need not learn the mean: at test time the identity above applies it exactly.
    """
    mean = np.exp(np.log(temperatures).mean(axis=1))
    return temperatures / mean[:, None], mean
