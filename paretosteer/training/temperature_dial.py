"""DPO temperatures as a second dial: a network reads their direction, an identity has their norm.

Ren et al., "COS-DPO", arXiv 2410.08316. The DPO loss depends on the temperatures beta and the
scores only through beta (s - s_0), so s(c beta) = (1 - 1/c) s_0 + s(beta) / c for every c > 0.
Temperatures are given as factors on `beta_dpo`, (k, m).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

import numpy as np
import torch

from paretosteer.interfaces import Array
from paretosteer.policies.control import Control

ALL = "temperature"  # scales all objectives


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
