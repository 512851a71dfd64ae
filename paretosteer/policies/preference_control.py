"""Control that gives a policy a preference, in the form that its conditioning reads."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from paretosteer.errors import UsageError
from paretosteer.interfaces import Array
from paretosteer.policies.control import Control, Kind

READ_PREFERENCES: tuple[Kind, ...] = ("text", "features", "soup", "mixture")


def preference_control(kind: Kind, weights: Array, names: Sequence[str]) -> Control:
    """Control of this kind for preferences `weights` (k, m) over objectives `names`.

    Words, features that are 0 for equal weights, or the weights themselves as coefficients of the
    banks or shares of a mixture.

    Raises
    ------
    UsageError
        If controls of this kind carry no preference.

    """
    if kind == "text":
        return Control.text([labelled(names, [f"{w:.2f}" for w in row]) for row in weights])
    if kind == "features":
        return Control.features(weights.shape[1] * weights - 1)
    if kind == "soup":
        return Control.soup(weights)
    if kind == "mixture":
        return Control.mixture(np.insert(weights, 0, 0.0, axis=1))  # without the start policy
    raise UsageError(
        f"method.condition: found a conditioning steered by {kind}, which carries no preference; "
        f"use one that is steered by {', '.join(READ_PREFERENCES)}"
    )


def labelled(names: Sequence[str], values: Sequence[str]) -> str:
    """Text to put before a prompt: `helpful: 0.30; harmless: 0.70. `."""
    return "; ".join(f"{name}: {value}" for name, value in zip(names, values, strict=True)) + ". "
