"""Extrapolation beyond trained policies, by the factor that validation prompts prefer."""

from __future__ import annotations

import numpy as np

from paretosteer.benchmark import Benchmark
from paretosteer.interfaces import Array
from paretosteer.policies.control import Control
from paretosteer.policies.protocols import Policy
from paretosteer.training.rollout import validation_points
from paretosteer.training.trainer import Trainer


def best_factors(
    policy: Policy, benchmark: Benchmark, ends: Array, factors: Array, trainer: Trainer
) -> list[float]:
    """For each objective, the factor of its end at which its own mean is highest.

    Row i of `ends` (m, banks) has the coefficients for objective i alone.
    """
    m = len(ends)
    c = (factors[None, :, None] * ends[:, None]).reshape(m * len(factors), -1)
    means = validation_points(policy, benchmark, Control.soup(c), trainer)
    own = means.reshape(m, len(factors), m)[np.arange(m), :, np.arange(m)]  # (m, factors)
    return [float(k) for k in factors[own.argmax(axis=1)]]
