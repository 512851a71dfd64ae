"""Best of n: several answers of the start model, of which the preference chooses one.

Nothing is trained. n answers are drawn for every prompt and the one of largest mu . z is given, z
being the normalised scores. This is the usual baseline of decoding-time methods (e.g. Gao et al.,
arXiv 2210.10760); the price is paid at every answer, n times the tokens and n reward calls.

The KL of best-of-n from the start model is at most ln n - (n - 1) / n (recalled; proved by Beirami
et al., arXiv 2401.01879). Texts have no density under best-of-n, so that bound stands where other
methods have an estimate. Of a table of actions, the distribution of the best and its KL are exact.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from pydantic import PositiveInt

from paretosteer import (
    Array,
    BaseOptions,
    Benchmark,
    Control,
    Method,
    Point,
    Trainer,
    Unconditioned,
    UsageError,
    option,
    with_dial,
)
from paretosteer.training.candidate_selection import check_selectable


class BestOfN(Method):
    """Start model, n answers drawn and the best kept."""

    class Options(BaseOptions):
        """Options of best of n."""

        n: int = option(4, "answers to choose from", least=1)
        dial: tuple[PositiveInt, ...] = option((2, 8), "further values of the dial n to evaluate")

    def conditioning(self, objectives: int) -> Unconditioned:
        """No conditioning."""
        return Unconditioned()

    def total_steps(self, budget: int, objectives: int) -> int:
        """Zero: nothing is trained."""
        return 0

    def train(self, benchmark: Benchmark, trainer: Trainer) -> None:
        """Build the policy; there is nothing to train."""
        check_selectable(benchmark)
        self.build_policy(benchmark, trainer.seed)

    @property
    def notes(self) -> Sequence[str]:
        """Meaning of its KL."""
        return (
            "The KL of best-of-n texts is the upper bound ln n - (n - 1) / n, since their density "
            "is unknown; where outcomes can be listed it is exact.",
        )

    def points(self, grid: Array) -> list[Point]:
        """Grid, then the grid at every value of the dial."""
        return with_dial(super().points(grid), "n", self.options.dial)

    def dials(self) -> Mapping[str, float]:
        """Number of answers to choose from; `check_dials` asks for a whole number."""
        return {"n": 0.5}

    def check_dials(self, dials: Mapping[str, float], owner: str = "method") -> None:
        """Raise UsageError unless n is a whole number, 1 or more."""
        n = dials.get("n", 1)
        if n < 1 or n != int(n):
            raise UsageError(f"dial n: found {n:g}; use a whole number, 1 or more")
        super().check_dials(dials, owner)

    def control(
        self, preferences: Array, dials: Sequence[Mapping[str, float]] | None = None
    ) -> Control:
        """Start policy, the best of n answers under mu in every row."""
        n = [dial.get("n", self.options.n) for dial in dials or [{}] * len(preferences)]
        return Control.start(len(n)).best_of(n, preferences)
