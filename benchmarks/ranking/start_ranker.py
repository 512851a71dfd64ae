"""Start ranker: a small network trained with ListNet on relevance alone."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
import torch
from torch import Tensor

from paretosteer.benchmarks.ranking.ndcg import ndcg
from paretosteer.benchmarks.ranking.ndcg_scores import padded_labels, score_rankings
from paretosteer.benchmarks.ranking.policy import RankingPolicy
from paretosteer.benchmarks.ranking.queries import Query
from paretosteer.errors import UsageError
from paretosteer.policies.conditioning import Unconditioned
from paretosteer.policies.control import Control
from paretosteer.policies.perceptron import Perceptron
from paretosteer.runtime.progress import preparation
from paretosteer.training.feedback import Shuffled

START_VERSION = "1"
STEPS = 600
QUERIES = 64  # batch size
RATE = 2e-3
DECAY = 1e-4
LOOKS = 12  # validations during training; the best checkpoint is kept
SEED = 0  # fixed, so that all seeds of a sweep share one start ranker


def train_start(
    network: Perceptron,
    train: Sequence[Query],
    validation: Sequence[Query],
    steps: int,
    say: Callable[[str], None],
) -> None:
    """Train `network` with ListNet (Cao et al., 2007) and keep the best checkpoint on validation.

    The loss is the top-one cross-entropy, - sum_d softmax(label)_d log softmax(score)_d, averaged
    over queries.
    """
    network.initialise(torch.Generator().manual_seed(SEED))
    network.requires_grad_(True)
    policy = RankingPolicy(network, Unconditioned(), SEED, places=1)
    optimiser = torch.optim.Adam(network.parameters(), lr=RATE, weight_decay=DECAY)
    rng, order = np.random.default_rng(SEED), Shuffled(len(train))
    best, weights = -1.0, _copy(network)
    show = preparation("start ranker", steps)
    for step in range(1, steps + 1):
        loss = _listnet(policy, [train[i] for i in order.take(rng, QUERIES)])
        optimiser.zero_grad()
        torch.autograd.backward(loss)
        optimiser.step()
        show(step, {})
        if step % max(1, steps // LOOKS) == 0:
            ndcg_10 = relevance(policy, validation)
            if ndcg_10 > best:
                best, weights = ndcg_10, _copy(network)
    network.load_state_dict(weights)
    network.requires_grad_(False)
    say(f"start ranker: NDCG@10 of relevance {best:.3f} on validation queries")


def check_start(start: RankingPolicy, validation: Sequence[Query]) -> None:
    """Raise UsageError if the start ranker is no better than chance."""
    ndcg_10 = relevance(start, validation)
    labels, mask = padded_labels(validation, max(len(q.labels) for q in validation))
    # `ndcg` averages over the orders of ties, so equal scores give the value of a random ranking.
    chance = float(ndcg(np.zeros(mask.shape), labels[..., 0], mask).mean())
    if ndcg_10 <= chance:
        raise UsageError(
            f"benchmark.path: the start ranker has NDCG@10 {ndcg_10:.3f} of relevance on "
            f"validation queries, no better than chance ({chance:.3f}): the features do not "
            "predict relevance; use other data, or set budget=smoke to test the pipeline"
        )


def relevance(policy: RankingPolicy, queries: Sequence[Query]) -> float:
    """Mean NDCG@10 of relevance over the queries."""
    answers = policy.answer(queries, Control.start(len(queries)), SEED, [0] * len(queries))
    return float(score_rankings(answers)[:, 0].mean())


def _copy(network: Perceptron) -> dict[str, Tensor]:
    return {name: value.clone() for name, value in network.state_dict().items()}


def _listnet(policy: RankingPolicy, queries: Sequence[Query]) -> Tensor:
    scores, _ = policy.document_scores(queries, Control.start(len(queries)))
    labels, mask = padded_labels(queries, scores.shape[1])
    graded = np.where(mask, labels[..., 0], -np.inf)  # softmax gives padding no mass
    target = scores.new_tensor(graded).softmax(dim=1)  # (rows, D)
    return -(target * scores.log_softmax(dim=1)).sum(dim=1).mean()
