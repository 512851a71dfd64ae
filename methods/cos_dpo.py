"""COS-DPO: one policy conditioned on the weights, fine-tuned on preferences with listwise DPO.

Ren et al., "COS-DPO: Conditioned One-Shot Multi-Objective Fine-Tuning", arXiv 2410.08316, UAI 2025.
Weight-COS-DPO minimises E_{w ~ Dirichlet} sum_j w_j L_j of a policy that sees w, with one w per
optimiser step. Temperature-COS-DPO also draws DPO's temperatures beta. The loss depends on them and
the scores only through beta (s - s_0), so s(c beta) = (1 - 1/c) s_0 + s(beta) / c: the network sees
the direction beta / |beta|_1, and the norm acts through this identity.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import cached_property
from typing import Literal

import numpy as np

from paretosteer import (
    Array,
    Benchmark,
    Conditioning,
    Control,
    Draws,
    Feedback,
    Method,
    Point,
    Trainer,
    TrainingOptions,
    UsageError,
    dirichlet,
    option,
    preference_control,
    with_dial,
)
from paretosteer.policies.hyper_prompt import HyperPromptOptions
from paretosteer.training import temperature_dial
from paretosteer.training.aligned_preference import AlignedPreference
from paretosteer.training.temperature_dial import TemperatureOptions

_CONTROLS = ("soup", "features", "mixture")  # kinds of control that carry weights as numbers


class COSDPO(Method):
    """One policy conditioned on weights (and temperatures), trained on preference feedback."""

    class Options(HyperPromptOptions, TemperatureOptions, TrainingOptions):
        """Options of COS-DPO. Where the paper states a value, it is the default."""

        variant: Literal["weight", "temperature"] = option(
            "weight", "condition on the weights, or on weights and temperatures"
        )
        feedback: str = option("preference", "training feedback; reward makes it CLP with features")
        condition: str = option(
            "hyper_prompt",
            "hyper_prompt (a masked prefix of a text, extra inputs of a network), features, "
            "shifts, banks, tied_banks, mixture or another conditioning; none: no conditioning, "
            "the negative control",
        )
        draw: Literal["step", "prompt"] = option(
            "step", "draw weights once per optimiser step, or for every prompt"
        )
        concentration: float = option(
            0.3, "Dirichlet concentration of the training weights; low: near the vertices", above=0
        )
        penalty: float = option(
            0.0,
            "coefficient of the cosine of weights and losses, subtracted from the loss; 0.05 in "
            "the paper",
            least=0,
            only={"draw": ("step",), "feedback": ("preference",)},
        )
        rank: int = option(4, "rank of the LoRA trained with the prefix, or of each bank", least=1)

    def check(self, objectives: int) -> None:
        """Check that the conditioning reads weights, and temperatures if the variant uses them."""
        o, kind = self.options, self._kind
        if kind.steered_by not in _CONTROLS:
            raise UsageError(
                f"method.condition: {o.condition!r} is steered by {kind.steered_by}, but COS-DPO "
                f"needs one of {', '.join(_CONTROLS)}; set method.condition=hyper_prompt"
            )
        if o.variant == "temperature":
            features = kind.steered_by == "features" and o.condition != "none"
            temperature_dial.check_options(o, features)

    def conditioning(self, objectives: int) -> Conditioning:
        """Of the chosen kind, for the weights and, in that variant, the temperatures."""
        o = self.options
        tempered = o.variant == "temperature"
        scratch = o.feedback == "preference" and not tempered
        form = o.form or ("scratch" if scratch else "augment")
        layers = o.layers or (5 if tempered else 2)
        size = 2 * objectives if tempered else objectives
        return self._kind.of(size, o.model_copy(update={"form": form, "layers": layers}))

    def train(self, benchmark: Benchmark, trainer: Trainer) -> None:
        """Spend the whole budget on one policy."""
        self.build_policy(benchmark, trainer.seed)
        self.train_policy(self._feedback(benchmark, trainer), trainer, self._draw, self._control)

    def points(self, grid: Array) -> list[Point]:
        """Grid; the temperature variant repeats it at every value of the dial."""
        shown = self.options.dial if self.options.variant == "temperature" else ()
        return with_dial(super().points(grid), temperature_dial.ALL, shown)

    def dials(self) -> Mapping[str, float]:
        """Temperature variant: `temperature` of all, `temperature_<objective>` of one."""
        if self.options.variant == "weight":
            return {}
        own = temperature_dial.dial_names(self._names)
        return dict.fromkeys([temperature_dial.ALL, *own], 0.0)

    def control(
        self, preferences: Array, dials: Sequence[Mapping[str, float]] | None = None
    ) -> Control:
        """Feature vectors, or c = mu. `temperature` scales all objectives, the others one each."""
        if self.options.variant == "weight":
            return self._control(Draws(preferences))
        rows = dials or [{}] * len(preferences)
        factors = temperature_dial.dial_factors(rows, self._names)  # (k, m)
        draws = Draws(preferences, temperatures=temperature_dial.direction(factors))
        return temperature_dial.scaled_by_norm(self._control(draws), factors)

    @property
    def _names(self) -> list[str]:
        return [objective.name for objective in self.objectives]

    @cached_property
    def _kind(self) -> type[Conditioning]:
        """Class of the conditioning; UsageError for an unknown name."""
        name = self.options.condition
        return self.conditioning_kind("hyper_prompt" if name == "none" else name)

    def _feedback(self, benchmark: Benchmark, trainer: Trainer) -> Feedback:
        if not self.options.penalty:
            return self.feedback(benchmark, trainer, self.options.feedback)
        AlignedPreference.check(benchmark)
        return AlignedPreference.of(benchmark, self.options, trainer)

    def _draw(self, rng: np.random.Generator, n: int) -> Draws:
        o, count = self.options, 1 if self.options.draw == "step" else n
        weights = dirichlet(self.m, o.concentration)(rng, count).weights.repeat(n // count, axis=0)
        if o.variant == "weight":
            return Draws(weights)
        directions = temperature_dial.draw_directions(rng, count, self.m, o.temperatures)
        return Draws(weights, temperatures=directions.repeat(n // count, axis=0))

    def _control(self, draws: Draws) -> Control:
        mu = draws.weights
        if self.options.condition == "none":
            return Control.features(np.zeros_like(mu))
        if draws.temperatures is None:
            return preference_control(self._kind.steered_by, mu, self._names)
        return Control.features(np.hstack([self.m * mu - 1, draws.temperatures - 1]))
