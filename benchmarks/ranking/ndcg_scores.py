"""NDCG of a policy's rankings, and labels padded to the shape of its scores."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

import numpy as np
import numpy.typing as npt
import torch

from paretosteer.benchmarks.ranking.ndcg import ndcg
from paretosteer.benchmarks.ranking.queries import Query
from paretosteer.interfaces import Array


class Ranked(Protocol):
    """Queries with the scores of their documents."""

    @property
    def queries(self) -> tuple[Query, ...]:
        """One query per row."""
        ...

    @property
    def scores(self) -> torch.Tensor:
        """Scores, (rows, D); higher ranks first, and padding may hold any value."""
        ...


def score_rankings(ranked: Ranked) -> Array:
    """NDCG@10 of every objective, (rows, m)."""
    scores = ranked.scores.cpu().double().numpy()
    labels, mask = padded_labels(ranked.queries, scores.shape[1])
    return ndcg(scores, labels, mask)


def padded_labels(
    queries: Sequence[Query], width: int
) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.bool_]]:
    """Labels (rows, width, m), 0 at padding, and the mask of real documents (rows, width)."""
    labels = np.zeros((len(queries), width, queries[0].labels.shape[1]), dtype=np.int64)
    mask = np.zeros((len(queries), width), dtype=bool)
    for row, query in enumerate(queries):
        labels[row, : len(query.labels)] = query.labels
        mask[row, : len(query.labels)] = True
    return labels, mask


def first_place_gains(labels: npt.NDArray[np.int64], cutoff: int = 10) -> Array:
    """NDCG that each document adds in the first place, (rows, D, m), from labels of that shape."""
    gains = np.exp2(labels) - 1
    ideal = np.sort(gains, axis=1)[:, ::-1][:, :cutoff]
    best = np.einsum("d,rdm->rm", 1 / np.log2(2 + np.arange(ideal.shape[1])), ideal)
    shares: Array = gains / best[:, None]
    return shares
