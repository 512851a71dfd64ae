"""A ranker as a policy: scores of a query's documents, sorted at test time, sampled in training."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor
from torch.nn.utils.rnn import pad_sequence

from paretosteer.benchmarks.ranking.queries import Query
from paretosteer.interfaces import Drift
from paretosteer.policies.common_random_numbers import gumbel, stream_keys
from paretosteer.policies.conditioning import Conditioning
from paretosteer.policies.control import Control
from paretosteer.policies.kl import exact_drift
from paretosteer.policies.perceptron import ConditionedPerceptron, Perceptron

ABSENT = -1e9  # score of padding: finite, so that no gradient is NaN


@dataclass(frozen=True)
class Scored:
    """Scores of every document per row: the ranking that a user sees is their order."""

    queries: tuple[Query, ...]
    scores: Tensor  # (rows, D) float64, `ABSENT` where a query has fewer documents
    mask: Tensor  # (rows, D) bool

    def __len__(self) -> int:
        return len(self.queries)

    @property
    def tokens(self) -> int:
        """Ranked documents."""
        return int(self.mask.sum())


@dataclass(frozen=True)
class Rankings:
    """One ranking per row drawn from the Plackett-Luce model of the scores.

    The first `T` places count; the rest of the order is kept, since a place's probability depends
    on what is still to be placed.
    """

    queries: tuple[Query, ...]
    order: Tensor  # (rows, D) int64: document at every place, padding last
    mask: Tensor  # (rows, T) bool: the places that are filled
    log_probs: Tensor  # (rows, T)

    def __len__(self) -> int:
        return len(self.queries)

    @property
    def tokens(self) -> int:
        """Placed documents."""
        return int(self.mask.sum())

    def take(self, rows: Sequence[int]) -> Rankings:
        """These rows, repeats allowed, padded to the longest query among them."""
        queries = [self.queries[i] for i in rows]
        order = self.order.cpu().numpy()
        orders = [order[i, : len(query.labels)] for i, query in zip(rows, queries, strict=True)]
        taken = Rankings.of(queries, orders, self.mask.shape[1], self.order.device)
        return replace(taken, log_probs=self.log_probs[list(rows), : taken.mask.shape[1]])

    @property
    def scores(self) -> Tensor:
        """Scores (rows, D) that sort the documents into this order."""
        places = torch.arange(self.order.shape[1], 0, -1.0, device=self.order.device)
        return torch.zeros(self.order.shape, device=self.order.device).scatter(
            1, self.order, places.expand(self.order.shape)
        )

    @classmethod
    def of(
        cls,
        queries: Sequence[Query],
        orders: Sequence[npt.NDArray[np.int64]],
        places: int,
        device: torch.device,
    ) -> Rankings:
        """Rankings to learn from: each row's whole order (n,), padding to be put last."""
        parts = [torch.from_numpy(order) for order in orders]
        lengths = torch.tensor([len(part) for part in parts]).unsqueeze(1)
        order = pad_sequence(parts, batch_first=True)  # (rows, D)
        column = torch.arange(order.shape[1])
        order = torch.where(column < lengths, order, column)
        mask = column[:places] < lengths
        none = torch.zeros(mask.shape)
        return cls(tuple(queries), order.to(device), mask.to(device), none.to(device))


@dataclass(frozen=True)
class Documents:
    """Documents to compare, per list: some of a query's, or all of them."""

    queries: tuple[Query, ...]
    chosen: Tensor | None = None  # (lists, n) int64


class RankingPolicy(ConditionedPerceptron):
    """Scores from a network over documents; `places` of a sampled ranking count."""

    def __init__(self, start: Perceptron, conditioning: Conditioning, seed: int, places: int):
        super().__init__(start, conditioning, seed)
        self.places = places

    def document_scores(self, queries: Sequence[Query], control: Control) -> tuple[Tensor, Tensor]:
        """Scores and mask (rows, D).

        Where several policies take part, their scores are mixed: in a Plackett-Luce model that is
        the mixture of their log-probabilities at every place. A power mean is of their
        log-probabilities at the first place, and gives the scores of another Plackett-Luce model.
        """
        x, mask = self._pad(queries)
        return self._scores(x, mask, control).masked_fill(~mask, ABSENT), mask

    @torch.no_grad()
    def sample(
        self, queries: Sequence[Query], control: Control, seed: int, samples: Sequence[int]
    ) -> Rankings:
        """Draw one ranking per row: scores plus Gumbel noise, sorted (Plackett 1975; Luce 1959)."""
        scores, mask = self.document_scores(queries, control)
        keys = stream_keys(seed, [query.id for query in queries], samples).to(scores.device)
        noise = gumbel(keys, 0, scores.shape[1])
        order = (scores + noise).argsort(dim=1, descending=True)
        filled = mask.gather(1, order)[:, : self.places]
        return Rankings(tuple(queries), order, filled, self._log_probs(scores, order, filled))

    @torch.no_grad()
    def answer(
        self, queries: Sequence[Query], control: Control, seed: int, samples: Sequence[int]
    ) -> Scored:
        """Scores of the documents: at test time nothing is sampled."""
        scores, mask = self.document_scores(queries, control)
        return Scored(tuple(queries), scores.double(), mask)

    @torch.no_grad()
    def drift(self, answers: Scored, control: Control) -> Drift:
        """Exact KL and cross-entropy of the first place's distribution, nats per query."""
        start, _ = self.document_scores(answers.queries, Control.start(control.rows))
        own, log_start = (s.double().log_softmax(dim=1) for s in (answers.scores, start))
        return exact_drift(own, log_start, answers.mask.sum(dim=1))

    def log_probs(self, samples: Rankings, control: Control) -> Tensor:
        """Log-probability (rows, T) of each place's document among those not yet placed."""
        scores, _ = self.document_scores(samples.queries, control)
        return self._log_probs(scores, samples.order, samples.mask)

    def list_log_probs(self, candidates: Documents, control: Control) -> Tensor:
        """Scores (lists, n) of the documents to compare."""
        scores, _ = self.document_scores(candidates.queries, control)
        return scores if candidates.chosen is None else scores.gather(1, candidates.chosen)

    def _scores(self, x: Tensor, mask: Tensor, control: Control) -> Tensor:
        if not control.participants:
            return self.outputs(x, control, mask).squeeze(-1)
        parts = [self._scores(x, mask, part) for part in control.participants]
        if control.rule:
            parts = [part.masked_fill(~mask, -torch.inf).log_softmax(dim=1) for part in parts]
        return control.combine(parts)

    def _log_probs(self, scores: Tensor, order: Tensor, filled: Tensor) -> Tensor:
        placed = scores.gather(1, order)  # (rows, D)
        left = placed.flip(1).logcumsumexp(dim=1).flip(1)  # of what is placed here or later
        return torch.where(filled, (placed - left)[:, : filled.shape[1]], 0.0)

    def _pad(self, queries: Sequence[Query]) -> tuple[Tensor, Tensor]:
        """Features (rows, D, width) and mask (rows, D)."""
        device = next(self.network.parameters()).device
        parts = [torch.from_numpy(query.features) for query in queries]
        lengths = torch.tensor([len(part) for part in parts])
        x = pad_sequence(parts, batch_first=True)
        mask = torch.arange(x.shape[1]) < lengths.unsqueeze(1)
        return x.to(device), mask.to(device)
