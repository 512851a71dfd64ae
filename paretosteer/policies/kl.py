"""The KL divergence from the start policy, exact or estimated from samples, in nats."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np
import numpy.typing as npt

from paretosteer.interfaces import Drift

if TYPE_CHECKING:
    from torch import Tensor

# A policy beyond both has usually lost the start model's language.
DAMAGE_PER_ANSWER = 10.0  # nats
DAMAGE_PER_TOKEN = 0.3  # nats

# What a user can do about it.
TRAIN_LESS = "lower method.learning_rate, or raise method.kappa where the feedback is a reward"
OTHER_ADAPTERS = "use adapters that were trained for fewer steps or at a lower learning rate"


def exact_drift(log_policy: Tensor, log_start: Tensor, tokens: Tensor) -> Drift:
    """KL and cross-entropy of distributions over K outcomes.

    Parameters
    ----------
    log_policy, log_start
        Log-probabilities of every outcome, (rows, K).
    tokens
        Units of each row, (rows,).

    """
    policy = log_policy.exp()
    kl = (policy * (log_policy - log_start)).sum(dim=1)
    return Drift.of(kl, -(policy * log_start).sum(dim=1), tokens)


def sampled_drift(log_probs: Tensor, start: Tensor, tokens: Tensor) -> Drift:
    """One-sample estimates, unbiased where the answers were drawn from the policy.

    Parameters
    ----------
    log_probs, start
        Log-probabilities of whole answers under the policy and the start policy, (rows,).
    tokens
        Units of each row, (rows,).

    """
    return Drift.of(log_probs - start, -start, tokens)


def one_sample_kl(log_probs: Tensor, start: Tensor) -> Tensor:
    """Estimate of the KL of each sample, (rows,), from log-probabilities of its units (rows, T)."""
    return (log_probs - start).sum(dim=1)


def is_damaging(kl: float, tokens: float) -> bool:
    """True if texts of this mean KL and number of tokens per answer are usually damaged."""
    return kl > DAMAGE_PER_ANSWER and kl > DAMAGE_PER_TOKEN * tokens


def damage(kl: float, tokens: float) -> str | None:
    """Warning about a mean KL per answer, with the mean number of tokens; None if it is small."""
    if not is_damaging(kl, tokens):
        return None
    return (
        f"the KL from the start model is {kl:.1f} nats per answer, {kl / max(1.0, tokens):.2f} per "
        "token, at which texts are usually damaged"
    )


def brief_damage(kl: float) -> str:
    """The same in a few words, for cells after the first that a sweep warns about."""
    return f"KL {kl:.1f} nats per answer, texts are usually damaged"


class DamagedPoints(NamedTuple):
    """Points of a policy at which texts are usually damaged."""

    damaged: int
    total: int  # all points, damaged or not
    kl: float  # the largest mean, nats per answer
    kl_per_token: float  # at that point

    @property
    def sentence(self) -> str:
        """Warning that stands alone."""
        return (
            f"texts are usually damaged at {self.damaged} of {self.total} points: the KL from the "
            f"start model is up to {self.kl:.1f} nats per answer, {self.kl_per_token:.2f} per token"
        )

    @property
    def summary(self) -> str:
        """Extent of the damage, beside an explanation of it."""
        return (
            f"at {self.damaged} of {self.total} points, KL up to {self.kl:.1f} nats, "
            f"{self.kl_per_token:.2f} per token"
        )


def damaged_points(
    kl: npt.NDArray[np.float64], tokens: npt.NDArray[np.float64]
) -> DamagedPoints | None:
    """Points with a large KL, or None if there is none.

    Parameters
    ----------
    kl, tokens
        Mean KL and number of tokens per answer at each point, (n,).

    """
    damaged = [
        (each, each / max(1.0, length))
        for each, length in zip(kl.tolist(), tokens.tolist(), strict=True)
        if is_damaging(each, length)
    ]
    return DamagedPoints(len(damaged), len(kl), *max(damaged)) if damaged else None


def remedy(trained: bool) -> str:
    """Advice against damage, for methods that train and for those that do not."""
    return TRAIN_LESS if trained else OTHER_ADAPTERS
