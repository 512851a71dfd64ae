"""Feedback `online_pairs`: DPO on pairs that the policy itself samples and the rewards label."""

from __future__ import annotations

from typing import Any, Literal

import numpy as np
import torch
from scipy.special import expit
from torch import Tensor

from paretosteer import benchmark_outputs
from paretosteer.benchmark import Benchmark
from paretosteer.interfaces import Array, Lists
from paretosteer.policies.control import Control
from paretosteer.policies.kl import one_sample_kl
from paretosteer.policies.protocols import Policy
from paretosteer.training.draws import Draws
from paretosteer.training.feedback import (
    GRACE,
    Batch,
    Feedback,
    FeedbackTrainer,
    Preference,
    Shuffled,
    mean_scores,
)
from paretosteer.training.scoring import Scorer

Label = Literal["scalarised", "per_objective"]
Winner = Literal["argmax", "sampled", "expected"]


class OnlinePairs(Preference):
    """DPO against the start policy on two samples per prompt, both under the prompt's control.

    sum_j w_j L_j, where L_j = -log sigma(beta (log-ratio of the winner - that of the loser)). After
    MO-ODPO (arXiv 2503.00295).

    Parameters
    ----------
    beta
        DPO's temperature.
    label
        `scalarised`: the winner has the higher w . z in every L_j, z being normalised rewards.
        `per_objective`: the winner of L_j has the higher z_j.
    winner
        `argmax`: the higher value wins; a tie teaches nothing. `sampled`: the first sample wins
        with probability sigma(its value - the other's); in a table the optimum is then
        log pi_0 + w . z / beta for `label=scalarised`, while with `argmax` there is no finite one.
        `expected`: the expectation of `sampled`, that is both win, weighted by their probability.

    """

    source = "reward"
    flops_per_weight = 10.0  # sampling, start scores; forward and backward

    def __init__(
        self,
        benchmark: Benchmark,
        beta: float,
        label: Label = "scalarised",
        winner: Winner = "argmax",
    ):
        super().__init__(benchmark, 2, beta)
        self.label, self.winner = label, winner
        self._scorer = Scorer(benchmark, GRACE, "training")
        self._order = Shuffled(len(benchmark_outputs.prompts(benchmark, "train")))

    @classmethod
    def of(cls, benchmark: Benchmark, options: Any, trainer: FeedbackTrainer) -> Feedback:
        """Build it with the DPO temperature and, where a method has them, its other options."""
        label: Any = getattr(options, "label", "scalarised")
        return cls(benchmark, options.beta_dpo, label, getattr(options, "winner", "argmax"))

    @torch.no_grad()
    def collect(
        self, policy: Policy, draws: Draws, control: Control, rng: np.random.Generator
    ) -> Batch:
        """Sample every prompt twice and label the pair."""
        pairs = len(draws.weights)
        prompts = self.benchmark.prompts("train")
        chosen = [prompts[i] for i in self._order.take(rng, pairs)]
        pair_of = torch.arange(pairs).repeat_interleave(2)
        samples = policy.sample(
            [chosen[i] for i in pair_of],
            control.take(pair_of),
            int(rng.integers(2**62)),
            [0, 1] * pairs,
        )
        raw = self._scorer.score(samples)
        z = self.benchmark.normaliser.apply(raw).reshape(pairs, 2, -1)  # (pairs, 2, m)
        start = policy.log_probs(samples, Control.start(2 * pairs))  # (rows, T)
        lists = Lists(
            samples,
            labels=torch.as_tensor(self.labels(z, draws.weights, rng), dtype=start.dtype),
            start_log_probs=start.sum(dim=1).view(pairs, 2),
            tokens=samples.tokens,
            score=lambda: torch.as_tensor(z, dtype=torch.float32),
        )
        kl = float(one_sample_kl(samples.log_probs, start).mean())
        return Batch(
            samples,
            pair_of,
            pairs,
            lists=lists,
            figures=mean_scores(self.benchmark, raw) | {"kl": kl},
            tokens=samples.tokens,
            reward_calls=len(samples),
        )

    def labels(self, z: Array, weights: Array, rng: np.random.Generator) -> Array:
        """Labels (pairs, 2, m) from rewards z (pairs, 2, m), for the winner of each objective."""
        ahead = z[:, 0] - z[:, 1]  # (pairs, m)
        if self.label == "scalarised":
            ahead = (weights * ahead).sum(axis=1, keepdims=True)  # (pairs, 1)
        if self.winner == "argmax":
            first, second = ahead > 0, ahead < 0
        else:
            first = expit(ahead)
            if self.winner == "sampled":
                first = rng.random(ahead.shape) < first
            second = 1 - first
        return np.broadcast_to(np.stack([first, second], axis=1), z.shape).astype(float)

    def log_probs(self, policy: Policy, batch: Batch, control: Control) -> Tensor:
        """Log-probabilities (pairs, 2) of the samples."""
        log_probs = policy.log_probs(batch.samples, control.take(batch.prompt_of))  # (rows, T)
        return log_probs.sum(dim=1).view(-1, 2)

    def state(self) -> dict[str, Any]:
        """Rest of the pass over the prompts, and the count of samples without a score."""
        return {"order": self._order.left, "scorer": self._scorer.state()}

    def load_state(self, state: dict[str, Any]) -> None:
        """Restore what `state` returned."""
        self._order.left = state["order"]
        self._scorer.load_state(state["scorer"])
