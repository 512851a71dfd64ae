"""Queries with the inputs and labels of their documents."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from hashlib import blake2b

import numpy as np
import numpy.typing as npt

from paretosteer.benchmarks.ranking.letor import Letor
from paretosteer.errors import UsageError

FEWEST_CALIBRATION = 2  # queries; a normaliser needs a standard deviation
CONSTANT = 1e-6  # relative spread below which a column only varies by float32 rounding


@dataclass(frozen=True)
class Query:
    """A query with n documents."""

    id: str  # "q" followed by the qid of the file
    features: npt.NDArray[np.float32]  # (n, inputs)
    labels: npt.NDArray[np.int64]  # (n, m), relevance first


def make_queries(
    letor: Letor, auxiliary: Mapping[str, int], grades: int
) -> tuple[list[Query], dict[str, int]]:
    """Queries in the order of the data, and the number of queries left out by reason.

    The columns of `auxiliary` (objective name to column, from 1) are turned into labels by
    `graded` and removed from the inputs. They must have passed `check_auxiliary`.

    A query is left out if it has one document, so that there is nothing to rank, or if some
    objective has no positive label, where NDCG is undefined. It is counted once, under the first
    reason that applies: "one document", "no positive relevance", "no positive NAME".
    """
    columns = np.array(list(auxiliary.values()), dtype=np.int64) - 1
    starts = np.flatnonzero(np.diff(letor.queries, prepend=-1))  # (queries,)
    sizes = np.diff(starts, append=len(letor.queries))
    graded_columns = [graded(letor.features[:, column], sizes, grades) for column in columns]
    labels = np.stack([letor.labels, *graded_columns], axis=1)  # (documents, m)
    positive = np.logical_or.reduceat(labels > 0, starts, axis=0)  # (queries, m)
    reasons = ["one document", *(f"no positive {name}" for name in ("relevance", *auxiliary))]
    applies = np.column_stack([sizes == 1, ~positive])  # (queries, 1 + m), one column per reason
    counts = np.bincount(applies.argmax(axis=1)[applies.any(axis=1)], minlength=len(reasons))
    features = np.delete(letor.features, columns, axis=1)
    usable = ~applies.any(axis=1)  # (queries,)
    queries = [
        Query(f"q{letor.queries[i]}", features[i : i + n], labels[i : i + n])
        for i, n in zip(starts[usable], sizes[usable], strict=True)
    ]
    return queries, {r: int(n) for r, n in zip(reasons, counts, strict=True) if n}


def graded(
    column: npt.NDArray[np.float32], sizes: npt.NDArray[np.int64], grades: int
) -> npt.NDArray[np.int64]:
    """Grade a feature within each query into labels 0 ... grades - 1.

    The label of a document is ceil(u (grades - 1)), where u is the share of the query's documents
    with a strictly lower value: 0 for the lowest value of a query, at least 1 for any other.

    Parameters
    ----------
    column
        (documents,), with the documents of a query adjacent.
    sizes
        (queries,), number of documents per query.
    grades
        Number of grades, 2 or more.

    Returns
    -------
    (documents,).

    """
    query = np.repeat(np.arange(len(sizes)), sizes)  # (documents,)
    order = np.lexsort((column, query))
    value = column[order]
    start = np.repeat(np.cumsum(sizes) - sizes, sizes)  # (documents,), start of the query
    index = np.arange(len(column))
    # First of its value in the query; the running maximum gives ties the index of their first.
    first = (index == start) | (np.diff(value, prepend=np.nan) != 0)
    lower = np.maximum.accumulate(np.where(first, index, 0)) - start  # documents strictly below
    labels = np.empty(len(column), dtype=np.int64)
    labels[order] = -(-lower * (grades - 1) // np.repeat(sizes, sizes))  # integer ceiling
    return labels


def check_auxiliary(parts: Sequence[Letor], auxiliary: Mapping[str, int]) -> None:
    """Raise `UsageError` unless the columns exist, differ, vary and leave an input.

    `parts` are all splits of the data, with the same width.
    """
    width = parts[0].width
    taken: dict[int, str] = {}
    for name, column in auxiliary.items():
        if not 1 <= column <= width:
            raise UsageError(
                f"benchmark.auxiliary: {name}:{column}, but the data have {width} features; "
                f"use a column from 1 to {width}"
            )
        if column in taken:
            raise UsageError(
                f"benchmark.auxiliary: column {column} is both {taken[column]} and {name}; "
                "use a different column for each"
            )
        taken[column] = name
        if _constant([part.features[:, column - 1] for part in parts]):
            raise UsageError(
                f"benchmark.auxiliary: column {column} ({name}) is constant over all documents; "
                "use another column"
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
            f"benchmark.path: split {split} has no usable query, all {sum(excluded.values())} are "
            f"left out ({counts}); provide more data, or set benchmark.auxiliary to other columns"
        )


def split_training(queries: Sequence[Query], share: float = 0.1) -> tuple[list[Query], list[Query]]:
    """Split training queries into training and calibration queries.

    Calibration gets `share` of the queries, but at least 2. A hash of the query's id decides, so
    that the split is the same on every machine. Raises `UsageError` if no query would be left to
    train on.
    """
    count = max(FEWEST_CALIBRATION, round(share * len(queries)))
    if count >= len(queries):
        raise UsageError(
            f"benchmark.path: split train has {len(queries)} usable queries, but calibration alone "
            f"needs {count}; provide more data"
        )
    ids = [query.id for query in queries]
    chosen = set(sorted(ids, key=lambda id: blake2b(id.encode(), digest_size=8).digest())[:count])
    return (
        [query for query in queries if query.id not in chosen],
        [query for query in queries if query.id in chosen],
    )


@dataclass(frozen=True)
class Scaling:
    """Standardisation per column after a signed log: (sign(x) log(1 + |x|) - mean) / std.

    Columns that are constant in training become 0 everywhere.
    """

    mean: npt.NDArray[np.float64]  # (inputs,)
    factor: npt.NDArray[np.float64]  # (inputs,), 1 / std, or 0

    @classmethod
    def fit(cls, queries: Sequence[Query]) -> Scaling:
        """Mean and standard deviation over all documents of the queries."""
        # Query by query, to avoid a second copy of a large training set.
        count = sum(len(query.features) for query in queries)
        mean = sum(_squashed(query.features).sum(axis=0) for query in queries) / count
        squares = sum(((_squashed(q.features) - mean) ** 2).sum(axis=0) for q in queries)
        std = np.sqrt(squares / count)
        varies = std > CONSTANT * np.abs(mean)
        return cls(mean, np.divide(1, std, out=np.zeros_like(std), where=varies))

    def apply(self, features: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
        """Scale features (n, inputs)."""
        return ((_squashed(features) - self.mean) * self.factor).astype(np.float32)

    def scaled(self, queries: Sequence[Query]) -> list[Query]:
        """Copies of the queries with scaled features."""
        return [replace(query, features=self.apply(query.features)) for query in queries]


def _squashed(features: npt.NDArray[np.float32]) -> npt.NDArray[np.float64]:
    x = features.astype(np.float64)
    return np.copysign(np.log1p(np.abs(x)), x)
