"""Feedback `target_imitation`: supervised learning of examples, told the scores that they have."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from paretosteer.benchmark import Benchmark
from paretosteer.errors import UnsupportedError, UsageError
from paretosteer.interfaces import Array
from paretosteer.policies.control import Control
from paretosteer.policies.protocols import Policy, StoredSamples
from paretosteer.training.draws import Draw, Draws
from paretosteer.training.feedback import GRACE, Batch, Feedback, FeedbackTrainer, Shuffled
from paretosteer.training.rollout import sample_rows
from paretosteer.training.scoring import Scorer

if TYPE_CHECKING:
    from paretosteer.training.trainer import Trainer

Rows = NDArray[np.int64]


@dataclass(frozen=True)
class Chosen:
    """Examples of a batch that were stored together, and their rows in the batch."""

    samples: Any
    rows: Tensor  # (n,) int64


class TargetImitation(Feedback):
    """Supervised learning of stored examples, each under a control that states its own scores.

    After Rewards-in-Context (arXiv 2402.10207). A method stores examples with `add`, trains with
    the draws of `draw`, and states their `targets` in its control. Examples are no part of the
    state that a killed run resumes from: the method stores the same ones again.

    Attributes
    ----------
    scores
        Normalised scores (examples, m), in the order in which examples were added.

    """

    source = "imitation"

    def __init__(self, benchmark: Benchmark):
        self.benchmark = benchmark
        self.scores: Array = np.empty((0, len(benchmark.objectives)))
        self._stored: list[StoredSamples] = []
        self._scorer = Scorer(benchmark, GRACE, "training")

    @classmethod
    def of(cls, benchmark: Benchmark, options: Any, trainer: FeedbackTrainer) -> Feedback:
        """Without examples."""
        return cls(benchmark)

    def add(self, samples: Any) -> Rows:
        """Score samples, store them, and return their numbers."""
        if not isinstance(samples, StoredSamples):
            raise UnsupportedError(
                f"{self.benchmark.name}: its samples have no `take`, so they cannot be stored as "
                "training examples"
            )
        first = len(self.scores)
        z = self.benchmark.normaliser.apply(self._scorer.score(samples))
        self._stored.append(samples)
        self.scores = np.vstack([self.scores, z])
        return np.arange(first, len(self.scores))

    def add_demonstrations(self, count: int, trainer: Trainer) -> Rows:
        """Store `count` examples of the benchmark: good and bad ones, for every objective."""
        m, rng = len(self.benchmark.objectives), trainer.rng("demonstrations")
        sign = rng.choice([-1, 1], size=(count, 1))  # chosen and rejected answers of pairs
        ends = sign * np.eye(m)[rng.integers(m, size=count)]
        samples = self.benchmark.demonstrations(rng, ends, quantile=1.0)
        trainer.account.add_training(0, count * trainer.accelerator.num_processes, 0.0)
        return self.add(samples)

    def add_answers(self, policy: Policy, control: Control, trainer: Trainer, name: str) -> Rows:
        """Store the policy's answers to training prompts, one under each row of a control."""
        first, rng = len(self.scores), trainer.rng(name)
        prompts = self.benchmark.prompts("train")
        answers = sample_rows(
            policy,
            [prompts[i] for i in Shuffled(len(prompts)).take(rng, control.rows)],
            control.to(trainer.accelerator.device),
            seed=int(rng.integers(2**62)),
            batch_rows=trainer.batch_rows,
        )
        for samples in answers:
            self.add(samples)
            processes = trainer.accelerator.num_processes
            tokens, calls = processes * samples.tokens, processes * len(samples)
            trainer.account.add_training(tokens, calls, 2.0 * policy.size * tokens)
        return np.arange(first, len(self.scores))

    def best(self, rows: Rows, quantile: float) -> Rows:
        """Those rows of which any score reaches that objective's quantile over all these rows."""
        scores = self.scores[rows]
        return rows[(scores >= np.quantile(scores, quantile, axis=0)).any(axis=1)]

    def draw(self, rows: Rows, left_out: float = 0.0) -> Draw:
        """Draws of examples among `rows`, with their scores as targets.

        A target is left out, NaN, with probability `left_out`.
        """

        def draw(rng: np.random.Generator, n: int) -> Draws:
            examples = np.sort(rng.choice(rows, size=n))  # stored together, learnt together
            targets = self.scores[examples]
            if left_out:
                targets = np.where(rng.random(targets.shape) < left_out, np.nan, targets)
            weights = np.full(targets.shape, 1 / targets.shape[1])
            return Draws(weights, targets=targets, examples=examples)

        return draw

    def collect(
        self, policy: Policy, draws: Draws, control: Control, rng: np.random.Generator
    ) -> Batch:
        """Look up the examples that were drawn."""
        if draws.examples is None:
            raise UsageError(
                "method.feedback: target_imitation learns from examples that the method stores and "
                "draws; set method=ric, or method.feedback=imitation"
            )
        parts = self._look_up(draws.examples)
        tokens = sum(part.samples.tokens for part in parts)
        rows = torch.arange(len(draws.examples))
        return Batch(parts, rows, max(1, tokens), tokens=tokens)

    def loss(self, policy: Policy, batch: Batch, draws: Draws, control: Control) -> Tensor:
        """Mean negative log-likelihood per token."""
        log_probs = [policy.log_probs(x.samples, control.take(x.rows)).sum() for x in batch.samples]
        return -torch.stack(log_probs).sum() / batch.terms

    def _look_up(self, examples: Rows) -> Sequence[Chosen]:
        ends = np.cumsum([len(samples) for samples in self._stored])
        place = np.searchsorted(ends, examples, side="right")  # (n,)
        parts = []
        for i in np.unique(place):
            rows = np.flatnonzero(place == i)
            samples = self._stored[i]
            within = examples[rows] - (ends[i] - len(samples))
            parts.append(Chosen(samples.take(within.tolist()), torch.as_tensor(rows)))
        return parts
