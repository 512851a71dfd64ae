"""Queries with their documents' inputs and labels, made from what a file says."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from hashlib import blake2b

import numpy as np
import numpy.typing as npt

from paretosteer.benchmarks.ranking.letor import Letor
from paretosteer.errors import UsageError

FEWEST_CALIBRATION = 2  # a normaliser needs a spread
CONSTANT = 1e-6  # spread relative to the mean that is no more than float32 rounding


@dataclass(frozen=True)
class Query:
    """A query's documents."""

    id: str  # "q" and the file's qid
    features: npt.NDArray[np.float32]  # (n, inputs)
    labels: npt.NDArray[np.int64]  # (n, m), relevance first


def make_queries(
    letor: Letor, auxiliary: Mapping[str, int], grades: int
) -> tuple[list[Query], dict[str, int]]:
    """Queries in the order of the data, and how many were left out by reason.

    The columns of `auxiliary` (objective name to column, from 1) become labels, as `graded` says,
    and are no inputs. A query with one document has nothing to rank; one in which some objective
    has no positive label has no NDCG of it. Both are left out of all objectives, and counted under
    the first reason that holds: "one document", "no positive relevance", "no positive NAME". The
    sum of the counts is all that was left out. Columns must have passed `check_auxiliary`.
    """
    columns = np.array(list(auxiliary.values()), dtype=np.int64) - 1
    starts = np.flatnonzero(np.diff(letor.queries, prepend=-1))  # (queries,)
    sizes = np.diff(starts, append=len(letor.queries))
    graded_columns = [graded(letor.features[:, column], sizes, grades) for column in columns]
    labels = np.stack([letor.labels, *graded_columns], axis=1)  # (documents, m)
    positive = np.logical_or.reduceat(labels > 0, starts, axis=0)  # (queries, m)
    reasons = ["one document", *(f"no positive {name}" for name in ("relevance", *auxiliary))]
    held = np.column_stack([sizes == 1, ~positive])  # (queries, 1 + m)
    counts = np.bincount(held.argmax(axis=1)[held.any(axis=1)], minlength=len(reasons))
    features = np.delete(letor.features, columns, axis=1)
    queries = [
        Query(f"q{letor.queries[i]}", features[i : i + n], labels[i : i + n])
        for i, n in zip(starts[~held.any(axis=1)], sizes[~held.any(axis=1)], strict=True)
    ]
    return queries, {r: int(n) for r, n in zip(reasons, counts, strict=True) if n}


def graded(
    column: npt.NDArray[np.float32], sizes: npt.NDArray[np.int64], grades: int
) -> npt.NDArray[np.int64]:
    """Labels 0 ... grades - 1 of a property, within each query.

    A document's label is ceil(u (grades - 1)) with u the share of its query's documents whose value
    is strictly lower: 0 for the query's lowest value, at least 1 for any other.

    Parameters
    ----------
    column
        (documents,), those of a query together.
    sizes
        (queries,), how many documents each query has.
    grades
        2 or more.

    Returns
    -------
    (documents,).

    """
    query = np.repeat(np.arange(len(sizes)), sizes)  # (documents,)
    order = np.lexsort((column, query))
    value = column[order]
    start = np.repeat(np.cumsum(sizes) - sizes, sizes)  # (documents,), of a document's query
    place = np.arange(len(column))
    first = (place == start) | (np.diff(value, prepend=np.nan) != 0)  # of its value in its query
    lower = np.maximum.accumulate(np.where(first, place, 0)) - start
    labels = np.empty(len(column), dtype=np.int64)
    labels[order] = -(-lower * (grades - 1) // np.repeat(sizes, sizes))  # rounded up
    return labels


def check_auxiliary(parts: Sequence[Letor], auxiliary: Mapping[str, int]) -> None:
    """Raise `UsageError` unless the columns exist, differ, vary and leave an input.

    `parts` are all the data, of the same width.
    """
    width = parts[0].width
    taken: dict[int, str] = {}
    for name, column in auxiliary.items():
        if not 1 <= column <= width:
            raise UsageError(
                f"benchmark.auxiliary: {name}:{column}, but the data has {width} features; "
                f"choose a column from 1 to {width}"
            )
        if column in taken:
            raise UsageError(
                f"benchmark.auxiliary: column {column} is both {taken[column]} and {name}; "
                "choose a column for each"
            )
        taken[column] = name
        if _constant([part.features[:, column - 1] for part in parts]):
            raise UsageError(
                f"benchmark.auxiliary: column {column} ({name}) is the same for every document; "
                "choose another"
            )
    if len(taken) == width:
        raise UsageError(
            f"benchmark.auxiliary: all {width} features are objectives; leave some as inputs"
        )


def _constant(columns: Sequence[npt.NDArray[np.float32]]) -> bool:
    first = columns[0][0]
    return all((column == first).all() for column in columns)


def check_left(split: str, queries: Sequence[Query], excluded: Mapping[str, int]) -> None:
    """Raise `UsageError` if a split has no query left."""
    if not queries:
        counts = ", ".join(f"{count} {reason}" for reason, count in excluded.items())
        raise UsageError(
            f"benchmark.path: no query of split {split} can be used, all "
            f"{sum(excluded.values())} are left out ({counts}); give more data, or other columns "
            "as benchmark.auxiliary"
        )


def split_training(queries: Sequence[Query], share: float = 0.1) -> tuple[list[Query], list[Query]]:
    """Training queries and calibration queries: `share` of them, at least 2.

    A hash of the query's name chooses, so the same queries calibrate on every machine. Raises
    `UsageError` where nothing would be left to train on.
    """
    count = max(FEWEST_CALIBRATION, round(share * len(queries)))
    if count >= len(queries):
        raise UsageError(
            f"benchmark.path: split train has {len(queries)} queries that can be used, and "
            f"{count} are needed for calibration alone; give more data"
        )
    chosen = {query.id for query in sorted(queries, key=_hash)[:count]}
    return (
        [query for query in queries if query.id not in chosen],
        [query for query in queries if query.id in chosen],
    )


def _hash(query: Query) -> bytes:
    return blake2b(query.id.encode(), digest_size=8).digest()


@dataclass(frozen=True)
class Scaling:
    """Features to a common scale: x -> (sign(x) log(1 + |x|) - mean) / std, per column.

    Columns that are constant in training become 0 everywhere.
    """

    mean: npt.NDArray[np.float64]  # (inputs,)
    factor: npt.NDArray[np.float64]  # (inputs,), 1 / std, or 0

    @classmethod
    def fit(cls, queries: Sequence[Query]) -> Scaling:
        """Mean and standard deviation over all documents of these queries.

        Query by query, since the training documents of a large set hardly fit into memory twice.
        """
        count = sum(len(query.features) for query in queries)
        mean = sum(_squashed(query.features).sum(axis=0) for query in queries) / count
        squares = sum(((_squashed(q.features) - mean) ** 2).sum(axis=0) for q in queries)
        std = np.sqrt(squares / count)
        varies = std > CONSTANT * np.abs(mean)
        return cls(mean, np.divide(1, std, out=np.zeros_like(std), where=varies))

    def apply(self, features: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
        """Scaled features, (n, inputs) as given."""
        return ((_squashed(features) - self.mean) * self.factor).astype(np.float32)

    def scaled(self, queries: Sequence[Query]) -> list[Query]:
        """The queries with scaled features."""
        return [replace(query, features=self.apply(query.features)) for query in queries]


def _squashed(features: npt.NDArray[np.float32]) -> npt.NDArray[np.float64]:
    x = features.astype(np.float64)
    return np.copysign(np.log1p(np.abs(x)), x)
