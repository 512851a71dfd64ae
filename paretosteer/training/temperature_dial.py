"""DPO temperatures as a second dial: a network reads their direction, an identity has their norm.

Ren et al., "COS-DPO", arXiv 2410.08316. The DPO loss depends on the temperatures beta and the
scores only through beta (s - s_0), so s(c beta) = (1 - 1/c) s_0 + s(beta) / c for every c > 0.
Temperatures are given as factors on `beta_dpo`, (k, m).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import torch
from pydantic import PositiveFloat

from paretosteer.config.options import BaseOptions, option
from paretosteer.errors import UsageError
from paretosteer.interfaces import Array
from paretosteer.policies.control import Control

ALL = "temperature"  # scales all objectives
_TEMPERATURE = {"variant": ("temperature",)}


class TemperatureOptions(BaseOptions):
    """Options of temperatures, for methods with an option `variant`."""

    temperatures: tuple[PositiveFloat, PositiveFloat] = option(
        (0.67, 1.5),
        "training draws each factor on beta_dpo from this range",
        only=_TEMPERATURE,
    )
    dial: tuple[PositiveFloat, ...] = option(
        (0.5, 2.0),
        "values of the dial temperature to evaluate in addition to 1",
        only=_TEMPERATURE,
    )


def check_options(options: Any, features: bool) -> None:
    """Raise UsageError for options of variant=temperature that do not fit it.

    `features` is true if the conditioning reads a vector, which carries the temperatures.
    """
    o = options
    if o.feedback != "preference":
        raise UsageError(
            "method.feedback: temperatures need preference feedback; set "
            "method.feedback=preference or method.variant=weight"
        )
    if not features:
        raise UsageError(
            f"method.condition: {o.condition!r} cannot read temperatures; "
            "set method.condition=hyper_prompt or method.variant=weight"
        )
    if o.form == "scratch":
        raise UsageError(
            "method.form: variant=temperature needs a network added to the start model; set "
            "method.form=augment"
        )
    if not o.temperatures[0] < o.temperatures[1]:
        raise UsageError(
            f"method.temperatures: {o.temperatures} is not a range; give 0 < low < high"
        )


def dial_names(objectives: Sequence[str]) -> list[str]:
    """Name of the dial that scales each objective alone."""
    return [f"temperature_{name}" for name in objectives]


def dial_factors(dials: Sequence[Mapping[str, float]], objectives: Sequence[str]) -> Array:
    """Factors (k, m) that k rows of dials ask for; 1 where a dial is not set."""
    own = np.array([[row.get(name, 1.0) for name in dial_names(objectives)] for row in dials])
    factors: Array = own * np.array([[row.get(ALL, 1.0)] for row in dials])
    return factors


def draw_directions(
    rng: np.random.Generator, count: int, objectives: int, ends: tuple[float, float]
) -> Array:
    """Directions (count, m) of factors that are uniform between two ends.

    Their norm cancels in training: it divides the scores' distance from the start model and
    multiplies it in the loss.
    """
    return direction(rng.uniform(*ends, size=(count, objectives)))


def direction(factors: Array) -> Array:
    """Factors (n, m) scaled to mean 1.

    In units of the sum of all `beta_dpo` this is beta / |beta|_1, and at |beta|_1 = 1, the dial's
    default, the network's scores are the policy's.
    """
    scaled: Array = factors / factors.mean(axis=1, keepdims=True)
    return scaled


def scaled_by_norm(control: Control, factors: Array) -> Control:
    """Control of the direction with the norm of these factors (k, m) applied to its scores."""
    norm = torch.as_tensor(factors.mean(axis=1), dtype=torch.float32)
    return replace(control, sharpness=None if (norm == 1).all() else 1 / norm)
