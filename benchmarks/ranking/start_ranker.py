"""The start ranker: a small network trained on relevance alone with ListNet."""

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
from paretosteer.training.feedback import Shuffled

START_VERSION = "1"
STEPS = 600
QUERIES = 64  # in one step
RATE = 2e-3
DECAY = 1e-4
LOOKS = 12  # times that training looks at validation queries; the best look is kept
SEED = 0  # the start ranker is the same for all cells, whatever their own seed


def train_start(
    network: Perceptron,
    train: Sequence[Query],
    validation: Sequence[Query],
    steps: int,
    say: Callable[[str], None],
) -> None:
    """Train `network` with ListNet (Cao et al. 2007) and keep what ranks validation queries best.

    Top-one cross-entropy: - sum_d softmax(label)_d log softmax(score)_d, mean over queries.
    """
    network.initialise(torch.Generator().manual_seed(SEED))
    network.requires_grad_(True)
    policy = RankingPolicy(network, Unconditioned(), SEED, places=1)
    optimiser = torch.optim.Adam(network.parameters(), lr=RATE, weight_decay=DECAY)
    rng, order = np.random.default_rng(SEED), Shuffled(len(train))
    best, kept = -1.0, _copied(network)
    for step in range(1, steps + 1):
        loss = _listnet(policy, [train[i] for i in order.take(rng, QUERIES)])
        optimiser.zero_grad()
        torch.autograd.backward(loss)
        optimiser.step()
        if step % max(1, steps // LOOKS) == 0:
            reached = relevance(policy, validation)
            if reached > best:
                best, kept = reached, _copied(network)
    network.load_state_dict(kept)
    network.requires_grad_(False)
    say(f"start ranker: NDCG@10 of relevance {best:.3f} on validation queries")


def check_start(start: RankingPolicy, validation: Sequence[Query]) -> None:
    """Refuse a start ranker that orders documents no better than chance."""
    reached = relevance(start, validation)
    labels, mask = padded_labels(validation, max(len(q.labels) for q in validation))
    # Tied documents stand in every order alike, so equal scores rank by chance.
    chance = float(ndcg(np.zeros(mask.shape), labels[..., 0], mask).mean())
    if reached <= chance:
        raise UsageError(
            f"benchmark.path: the start ranker's NDCG@10 of relevance is {reached:.3f} on "
            f"validation queries, by chance it is {chance:.3f}: these features do not tell; give "
            "other data, or budget=smoke to try the path"
        )


def relevance(policy: RankingPolicy, queries: Sequence[Query]) -> float:
    """Mean NDCG@10 of relevance."""
    answers = policy.answer(queries, Control.start(len(queries)), SEED, [0] * len(queries))
    return float(score_rankings(answers)[:, 0].mean())


def _copied(network: Perceptron) -> dict[str, Tensor]:
    return {name: value.clone() for name, value in network.state_dict().items()}


def _listnet(policy: RankingPolicy, queries: Sequence[Query]) -> Tensor:
    scores, _ = policy.document_scores(queries, Control.start(len(queries)))
    labels, mask = padded_labels(queries, scores.shape[1])
    graded = np.where(mask, labels[..., 0], -np.inf)
    target = scores.new_tensor(graded).softmax(dim=1)  # (rows, D)
    return -(target * scores.log_softmax(dim=1)).sum(dim=1).mean()
