"""The start model: nothing trained, nothing steered. The row that every gain is read against."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from paretosteer.benchmark import Benchmark
from paretosteer.config.options import BaseOptions
from paretosteer.interfaces import Array
from paretosteer.method import Method
from paretosteer.policies.conditioning import Unconditioned
from paretosteer.policies.control import Control
from paretosteer.training.trainer import Trainer


class Start(Method):
    """The same samples at every preference."""

    class Options(BaseOptions):
        """The start model has no options."""

    def conditioning(self, objectives: int) -> Unconditioned:
        """None."""
        return Unconditioned()

    def total_steps(self, budget: int, objectives: int) -> int:
        """None."""
        return 0

    def train(self, benchmark: Benchmark, trainer: Trainer) -> None:
        """Train nothing."""
        self.build_policy(benchmark, trainer.seed)

    def control(
        self, preferences: Array, dials: Sequence[Mapping[str, float]] | None = None
    ) -> Control:
        """The start policy in every row."""
        return Control.start(len(preferences))
