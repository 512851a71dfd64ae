"""Reading of the preference pairs of one objective."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from functools import lru_cache
from typing import Any

from paretosteer.errors import UsageError
from paretosteer.text.pairs.pair import REASONS, Pair, PairSet
from paretosteer.text.pairs.pair_formats import Form, form_of
from paretosteer.text.pairs.pair_source import Source
from paretosteer.text.pairs.source_rows import read_rows


def read_pairs(source: str | Mapping[str, Any], objective: str) -> PairSet:
    """Read the pairs of an objective from a file, a folder or a data set on the hub.

    `source` is a path or a name, or a mapping with `path` and optionally `split`, `folder`,
    `revision` and `winner` (see `Source`).

    Raises
    ------
    UsageError
        If the source cannot be read (with file and line), or no pair is left.

    """
    parsed = Source.of(source, objective)
    return _read(parsed, objective, parsed.digest())


@lru_cache(maxsize=16)
def _read(source: Source, objective: str, content: str) -> PairSet:
    """Read the pairs, cached by `content`, since every cell of a sweep asks for them."""
    counts = Counter(dict.fromkeys(("read", *REASONS), 0))
    pairs: dict[Pair, None] = {}  # an ordered set
    form: Form | None = None
    for location, row in read_rows(source):
        counts["read"] += 1
        try:
            form = form or form_of(row, source.winner)
            pair = form(row)
        except ValueError as error:
            raise UsageError(f"{source.option}: {location}: {error}") from None
        reason = pair if isinstance(pair, str) else _fault(pair, pairs)
        if reason:
            counts[reason] += 1
        elif isinstance(pair, Pair):
            pairs[pair] = None
    if not pairs:
        raise UsageError(
            f"{source.option}: {source.path!r} has no usable pair; provide another source"
        )
    return PairSet(objective, source.path, tuple(pairs), dict(counts))


def _fault(pair: Pair, earlier: Mapping[Pair, None]) -> str | None:
    """Key of `REASONS` if the pair is to be left out."""
    if not (pair.prompt[-1].text and pair.chosen and pair.rejected):
        return "empty"
    if pair.chosen == pair.rejected:
        return "equal"
    return "duplicate" if pair in earlier else None
