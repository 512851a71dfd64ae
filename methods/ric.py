"""RiC, Rewards-in-Context: supervised learning of answers with their scores in the prompt.

Yang et al., "Rewards-in-Context: Multi-objective Alignment of Foundation Models with Dynamic
Preference Adjustment", arXiv 2402.10207. The policy learns answers that it was given, each under a
prompt that states the answer's own scores; then its own answers to high targets, filtered. At test
time a preference is turned into targets. The steps, maps and defaults follow the released code
(its facts; it has no licence, and none of it is used), the paper's body could not be read. As
options: attribute tokens in place of numbers, as SteerLM's, and a random subset of them, as CPO's
(arXiv 2402.19085) first stage.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import ClassVar

import numpy as np

from paretosteer import (
    Array,
    Benchmark,
    Conditioning,
    Control,
    Method,
    Trainer,
    TrainingOptions,
    option,
)
from paretosteer.runtime.accelerate_processes import from_first
from paretosteer.training import target_control
from paretosteer.training.score_targets import (
    TargetOptions,
    TargetText,
    check_targets,
    edge_targets,
    preference_targets,
)
from paretosteer.training.target_imitation import Rows, TargetImitation

_NONE = {"rounds": (0,)}


class RiC(Method):
    """One policy that reads target scores in its prompt."""

    class Options(TargetOptions, TrainingOptions):
        """Options of RiC."""

        feedback: ClassVar[str] = "target_imitation"
        offline: int = option(2000, "offline examples, scored once", least=2)
        rounds: int = option(2, "rounds on the policy's own answers", least=0)
        round_share: float = option(
            0.3,
            "share of the optimiser steps for all rounds together",
            least=0,
            most=1,
            unless=_NONE,
        )
        round_rate: float = option(
            0.1,
            "learning rate of the rounds, as a share of the offline stage's",
            above=0,
            unless=_NONE,
        )
        sampled: int | None = option(
            None,
            "answers sampled in each round; null: as many as its batches hold",
            least=2,
            unless=_NONE,
        )
        threshold: float = option(
            0.7,
            "keep answers with at least one score at or above this quantile",
            least=0,
            most=1,
            unless=_NONE,
        )
        mix: float = option(
            0.5,
            "offline examples mixed into a round, as a share of `sampled`",
            least=0,
            unless=_NONE,
        )

    def check(self, objectives: int) -> None:
        """Check the range and the template."""
        check_targets(self.options)

    def conditioning(self, objectives: int) -> Conditioning:
        """Text before the prompt, or a number for each objective."""
        return target_control.conditioning(self.options, objectives)

    def train(self, benchmark: Benchmark, trainer: Trainer) -> None:
        """Imitate the benchmark's examples, then in every round the best of the policy's own."""
        self.build_policy(benchmark, trainer.seed)
        o = self.options
        examples = self.feedback(benchmark, trainer, o.feedback)
        assert isinstance(examples, TargetImitation)

        def fit(name: str, rows: Rows, steps: int, rate: float) -> None:
            trainer.fit(
                name,
                self.policy,
                examples,
                draw=examples.draw(rows, o.left_out),
                control=lambda draws: self._control(draws.targets),
                parameters=self.policy.parameters(),
                steps=steps,
                optimiser=rate,
            )

        offline = examples.add_demonstrations(o.offline, trainer)
        self._select_range(examples.scores, trainer)
        steps = int(trainer.steps * o.round_share) // max(1, o.rounds)
        rounds = o.rounds if steps else 0
        fit("offline", offline, trainer.steps - rounds * steps, o.learning_rate)
        best, kept = examples.best(offline, o.threshold), offline[:0]
        for name in (f"round {i + 1}" for i in range(rounds)):
            count = max(2, (o.sampled or trainer.rows * steps) // trainer.accelerator.num_processes)
            rng = trainer.rng(f"{name}: targets")
            control = self._control(edge_targets(rng, count, *self._range))
            own = examples.add_answers(self.policy, control, trainer, f"{name}: answers")
            kept = np.append(kept, examples.best(own, o.threshold))
            mixed = rng.permutation(best)[: int(o.mix * count)]
            fit(name, np.append(kept, mixed), steps, o.learning_rate * o.round_rate)
        self._select_range(examples.scores[np.append(offline, kept)], trainer)

    def control(
        self, preferences: Array, dials: Sequence[Mapping[str, float]] | None = None
    ) -> Control:
        """Targets that stand for the preferences."""
        return self._control(preference_targets(preferences, *self._range, self.options.map))

    @property
    def notes(self) -> Sequence[str]:
        """Caveat of imitation."""
        return (
            "Imitation has no penalty on the KL to the start model; where the points subtract the "
            "KL, it may do worse than the start model.",
        )

    def _select_range(self, scores: Array, trainer: Trainer) -> None:
        """Select the targets' range, and once the levels, from training scores (examples, m)."""
        chosen = target_control.chosen_range(self.options, scores, self._names, self.selection)
        self.selection |= from_first(trainer.accelerator, chosen)

    @property
    def _range(self) -> tuple[Array, Array]:
        return np.array(self.selection["low"]), np.array(self.selection["high"])

    def _control(self, targets: Array | None) -> Control:
        """State targets (k, m)."""
        assert targets is not None
        o, edges = self.options, self.selection.get("edges")
        levels = None if edges is None else np.array(edges)
        text = TargetText(self._names, o.template, o.decimals, levels)
        return target_control.control(o.condition, targets, text)

    @property
    def _names(self) -> list[str]:
        return [objective.name for objective in self.objectives]
