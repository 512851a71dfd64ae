"""Reading the pairs of one objective: each row to a pair, or counted among what is left out."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from functools import lru_cache
from typing import Any

from paretosteer.errors import UsageError
from paretosteer.text.pairs.pair import REASONS, Pair, PairSet
from paretosteer.text.pairs.pair_formats import Form, form_of
from paretosteer.text.pairs.source import Source
from paretosteer.text.pairs.source_rows import read_rows


def read_pairs(source: str | Mapping[str, Any], objective: str) -> PairSet:
    """The pairs of an objective from a file, a folder or a data set on the hub.

    `source` is a path or a name, or a mapping with `path` and, where they are needed, `split`,
    `folder`, `revision` and `winner` (see `Source`).

    Raises
    ------
    UsageError
        If the source cannot be read (with file and line), or no pair is left.

    """
    found = Source.of(source, objective)
    return _read(found, objective, found.digest())


@lru_cache(maxsize=16)
def _read(source: Source, objective: str, content: str) -> PairSet:
    """As `read_pairs`, once while the content stays the same: a sweep asks in every cell."""
    counts = Counter(dict.fromkeys(("read", *REASONS), 0))
    pairs: dict[Pair, None] = {}  # in their order, each once
    form: Form | None = None
    for place, row in read_rows(source):
        counts["read"] += 1
        try:
            form = form or form_of(row, source.winner)
            pair = form(row)
        except ValueError as error:
            raise UsageError(f"{source.option}: {place}: {error}") from None
        reason = pair if isinstance(pair, str) else _fault(pair, pairs)
        if reason:
            counts[reason] += 1
        elif isinstance(pair, Pair):
            pairs[pair] = None
    if not pairs:
        raise UsageError(f"{source.option}: {source.path!r} has no pair that can be used")
    return PairSet(objective, source.path, tuple(pairs), dict(counts))


def _fault(pair: Pair, known: Mapping[Pair, None]) -> str | None:
    """Why a pair is left out; None where it is not."""
    if not (pair.prompt[-1].text and pair.chosen and pair.rejected):
        return "empty"
    if pair.chosen == pair.rejected:
        return "equal"
    return "duplicate" if pair in known else None
