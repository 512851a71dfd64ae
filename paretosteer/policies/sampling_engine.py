"""Engine that writes the samples of a policy while a cell runs; by default the policy itself."""

from __future__ import annotations

from typing import Any

from paretosteer.policies.control import Control


class SamplingEngine:
    """Engine of one cell, as a context manager that ends what the engine started.

    This one leaves every sample to the policy's own loop.
    """

    def __enter__(self) -> SamplingEngine:
        return self

    def __exit__(self, *error: object) -> None:
        """Close the engine, whether or not the cell failed."""

    def check(self, policy: Any, control: Control | None) -> None:
        """Raise UsageError or UnsupportedError unless it can write the samples of a policy.

        Called before training with an untrained policy, which is not used afterwards. `control`
        has a row for each point of the evaluation; None where it follows from training.
        """

    def attach(self, policy: Any, control: Control) -> None:
        """Write the samples of a trained policy from now on; `control` has a row for each point."""
