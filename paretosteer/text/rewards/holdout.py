"""Splits of pairs by prompt: a validation part, and a half reserved for the judge."""

from __future__ import annotations

from collections.abc import Sequence
from hashlib import sha256

from paretosteer.text.pairs import Pair


def share_of(key: str, purpose: str) -> float:
    """Pseudo-random number in [0, 1) from a hash of the prompt's key, independent per purpose."""
    return int.from_bytes(sha256(f"{purpose}|{key}".encode()).digest()[:8]) / 2**64


def halves(pairs: Sequence[Pair]) -> tuple[tuple[Pair, ...], tuple[Pair, ...]]:
    """Split pairs between the proxy reward, which methods train on, and the judge.

    No prompt is in both halves, for any objective or file.
    """
    proxy = tuple(pair for pair in pairs if share_of(pair.key, "judge") >= 0.5)
    judge = tuple(pair for pair in pairs if share_of(pair.key, "judge") < 0.5)
    return proxy, judge
