"""Start model: no training and no steering, the baseline of every gain."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from paretosteer import Array, BaseOptions, Benchmark, Control, Method, Trainer, Unconditioned


class Start(Method):
    """Start model at every preference."""

    class Options(BaseOptions):
        """No options."""

    def conditioning(self, objectives: int) -> Unconditioned:
        """No conditioning."""
        return Unconditioned()

    def total_steps(self, budget: int, objectives: int) -> int:
        """Zero: nothing is trained."""
        return 0

    def train(self, benchmark: Benchmark, trainer: Trainer) -> None:
        """Build the policy; there is nothing to train."""
        self.build_policy(benchmark, trainer.seed)

    def control(
        self, preferences: Array, dials: Sequence[Mapping[str, float]] | None = None
    ) -> Control:
        """Start policy in every row."""
        return Control.start(len(preferences))
