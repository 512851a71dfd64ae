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
from typing import Literal

import numpy as np

from paretosteer import (
    Array,
    Benchmark,
    Conditioning,
    Control,
    Features,
    Method,
    PromptText,
    Trainer,
    TrainingOptions,
    UsageError,
    option,
)
from paretosteer.runtime.accelerate_processes import from_first
from paretosteer.training.feedback import Shuffled
from paretosteer.training.rollout import sample_rows
from paretosteer.training.score_targets import (
    TargetText,
    edge_targets,
    normal_range,
    preference_targets,
)
from paretosteer.training.target_imitation import Rows, TargetImitation


class RiC(Method):
    """One policy that reads target scores in its prompt."""

    class Options(TrainingOptions):
        """Options of RiC."""

        map: Literal["l2", "linf", "linear"] = option("l2", "map from preferences to target scores")
        targets: Literal["quantiles", "gaussian"] = option(
            "quantiles", "range of the targets: of the training scores, or the published extremes"
        )
        low: float = option(0.05, "quantiles: lower end of the range", least=0, most=1)
        high: float = option(0.95, "quantiles: upper end of the range", least=0, most=1)
        outside: Literal["refuse", "clip", "allow"] = option(
            "refuse", "targets outside the training scores, which gaussian has (published: allow)"
        )
        offline: int = option(2000, "examples of the benchmark, scored once", least=2)
        rounds: int = option(2, "rounds on the policy's own answers", least=0)
        round_share: float = option(
            0.3, "share of the optimiser steps that all rounds take together", least=0, most=1
        )
        round_rate: float = option(
            0.1, "learning rate of the rounds, as a share of the offline stage's", above=0
        )
        sampled: int | None = option(
            None, "answers sampled in each round; null: as many as its batches hold", least=2
        )
        threshold: float = option(
            0.7, "rounds: keep answers of which any score reaches this quantile", least=0, most=1
        )
        mix: float = option(
            0.5, "rounds: offline examples mixed in, as a share of `sampled`", least=0
        )
        tokens: Literal["numbers", "attributes"] = option(
            "numbers", "state a target as a number, or as a level of the training scores"
        )
        levels: int = option(5, "attributes: number of levels", least=2)
        decimals: int = option(1, "numbers: decimals", least=0, most=6)
        template: str = option(
            "{name}: {value}; ", "text of one target, with {value} and {name} or {number}"
        )
        left_out: float = option(
            0.0, "probability that training leaves a target out of the prompt", least=0, most=0.99
        )
        condition: Literal["prompt_text", "features"] | None = option(
            None, "state targets as text or features; null: the benchmark's (text: prompt_text)"
        )

    def check(self, objectives: int) -> None:
        """Check the range, the template, and that features get plain numbers."""
        o = self.options
        if o.low >= o.high:
            raise UsageError(f"method.low: found {o.low} with high {o.high}; set low below high")
        if o.condition == "features" and (o.tokens == "attributes" or o.left_out):
            name = "tokens" if o.tokens == "attributes" else "left_out"
            raise UsageError(f"method.{name}: needs words; set method.condition=prompt_text")
        TargetText([objective.name for objective in self.objectives], o.template)

    def conditioning(self, objectives: int) -> Conditioning:
        """Text before the prompt, or a feature for each objective."""
        o = self.options
        if o.condition == "features":
            return Features(objectives, rank=o.rank, alpha=o.alpha, dropout=o.dropout)
        return PromptText(o.rank, o.alpha, o.dropout)

    def train(self, benchmark: Benchmark, trainer: Trainer) -> None:
        """Imitate the benchmark's examples, then in every round the best of the policy's own."""
        o = self.options
        self.build_policy(benchmark, trainer.seed)
        examples = self.feedback(benchmark, trainer, "target_imitation")
        assert isinstance(examples, TargetImitation)
        offline = self._add_offline(benchmark, examples, trainer)
        self._set_range(examples.scores, trainer)
        steps = int(trainer.steps * o.round_share) // max(1, o.rounds)
        rounds = o.rounds if steps else 0
        rate: float = o.learning_rate
        self._fit("offline", examples, offline, trainer, trainer.steps - rounds * steps, rate)
        best, kept = examples.best(offline, o.threshold), offline[:0]
        for name in (f"round {i + 1}" for i in range(rounds)):
            count = max(2, (o.sampled or trainer.rows * steps) // _processes(trainer))
            new = self._add_own(benchmark, examples, trainer, count, name)
            kept = np.append(kept, examples.best(new, o.threshold))
            mixed = trainer.rng(f"{name}: offline").permutation(best)[: int(o.mix * count)]
            rows = np.append(kept, mixed)
            self._fit(name, examples, rows, trainer, steps, rate * o.round_rate)
        self._set_range(examples.scores[np.append(offline, kept)], trainer)

    def control(
        self, preferences: Array, dials: Sequence[Mapping[str, float]] | None = None
    ) -> Control:
        """Targets that stand for the preferences."""
        return self._control(preference_targets(preferences, *self._range, self.options.map))

    # -- stages -----------------------------------------------------------------------------

    def _fit(
        self,
        name: str,
        examples: TargetImitation,
        rows: Rows,
        trainer: Trainer,
        steps: int,
        rate: float,
    ) -> None:
        trainer.fit(
            name,
            self.policy,
            examples,
            draw=examples.draw(rows, self.options.left_out),
            control=lambda draws: self._control(draws.targets),
            parameters=self.policy.parameters(),
            steps=steps,
            optimiser=rate,
        )

    def _add_offline(
        self, benchmark: Benchmark, examples: TargetImitation, trainer: Trainer
    ) -> Rows:
        """Store examples of the benchmark: good and bad ones, of every objective."""
        count, rng = self.options.offline, trainer.rng("offline examples")
        sign = rng.choice([-1, 1], size=(count, 1))  # chosen and rejected answers of pairs
        ends = sign * np.eye(self.m)[rng.integers(self.m, size=count)]
        rows = examples.add(benchmark.demonstrations(rng, ends, quantile=1.0))
        trainer.account.add_training(0, count * _processes(trainer), 0.0)
        return rows

    def _add_own(
        self,
        benchmark: Benchmark,
        examples: TargetImitation,
        trainer: Trainer,
        count: int,
        name: str,
    ) -> Rows:
        """Store the policy's answers to training prompts under random targets."""
        rng, prompts = trainer.rng(f"{name}: samples"), benchmark.prompts("train")
        order = Shuffled(len(prompts)).take(rng, count)
        control = self._control(edge_targets(rng, count, *self._range))
        control = control.to(trainer.accelerator.device)
        answers = sample_rows(
            self.policy,
            [prompts[i] for i in order],
            control,
            seed=int(rng.integers(2**62)),
            batch_rows=trainer.batch_rows,
        )
        first = len(examples.scores)
        for samples in answers:
            examples.add(samples)
            tokens, calls = (n * _processes(trainer) for n in (samples.tokens, len(samples)))
            trainer.account.add_training(tokens, calls, 2.0 * self.policy.size * tokens)
        return np.arange(first, len(examples.scores))

    # -- targets ----------------------------------------------------------------------------

    def _set_range(self, scores: Array, trainer: Trainer) -> None:
        """Select the targets' range, and once the levels, from training scores (examples, m)."""
        o = self.options
        if o.targets == "gaussian":
            low, high = self._within(*normal_range(self.m), scores)
        else:
            low, high = np.quantile(scores, [o.low, o.high], axis=0)
        chosen = {"low": low.tolist(), "high": high.tolist()}
        if o.tokens == "attributes" and "edges" not in self.selection:
            shares = np.arange(1, o.levels) / o.levels
            chosen["edges"] = np.quantile(scores, shares, axis=0).tolist()
        self.selection |= from_first(trainer.accelerator, chosen)

    def _within(self, low: Array, high: Array, scores: Array) -> tuple[Array, Array]:
        """Treat a range (m,), (m,) that exceeds the scores as `outside` says."""
        least, most = scores.min(axis=0), scores.max(axis=0)
        if self.options.outside == "clip":
            return np.clip(low, least, most), np.clip(high, least, most)
        beyond = (low < least) | (high > most)
        if self.options.outside == "refuse" and beyond.any():
            i = int(beyond.argmax())
            raise UsageError(
                f"method.targets: gaussian asks {self.objectives[i].name} for {low[i]:.1f} to "
                f"{high[i]:.1f}, training scores are {least[i]:.1f} to {most[i]:.1f}; set "
                "method.targets=quantiles, or method.outside=clip, or allow (as published)"
            )
        return low, high

    @property
    def _range(self) -> tuple[Array, Array]:
        return np.array(self.selection["low"]), np.array(self.selection["high"])

    def _control(self, targets: Array | None) -> Control:
        """State targets (k, m)."""
        assert targets is not None
        o, edges = self.options, self.selection.get("edges")
        if o.condition == "features":
            return Control.features(targets)
        names = [objective.name for objective in self.objectives]
        levels = None if edges is None else np.array(edges)
        return Control.text(TargetText(names, o.template, o.decimals, levels)(targets))


def _processes(trainer: Trainer) -> int:
    return trainer.accelerator.num_processes
