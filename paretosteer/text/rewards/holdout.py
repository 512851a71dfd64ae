"""Clean cuts of pairs by prompt: validation parts, and a judge's half that no method sees."""

from __future__ import annotations

from collections.abc import Sequence
from hashlib import sha256

from paretosteer.text.pairs import Pair


def share_of(key: str, purpose: str) -> float:
    """A number in [0, 1) by a hash of the prompt's key: another one for each purpose."""
    return int.from_bytes(sha256(f"{purpose}|{key}".encode()).digest()[:8]) / 2**64


def halves(pairs: Sequence[Pair]) -> tuple[tuple[Pair, ...], tuple[Pair, ...]]:
    """Pairs for the proxy that methods train on, and for the judge that they never see.

    No prompt is in both, whichever objective or file its pairs are from.
    """
    proxy = tuple(pair for pair in pairs if share_of(pair.key, "judge") >= 0.5)
    judge = tuple(pair for pair in pairs if share_of(pair.key, "judge") < 0.5)
    return proxy, judge
