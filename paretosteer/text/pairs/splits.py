"""Split of a prompt, decided by a hash of the prompt alone.

All pairs of a prompt fall into the same split, for every objective and every file. Adding prompts
never moves others to another split.
"""

from __future__ import annotations

from hashlib import sha256
from typing import Literal

Split = Literal["train", "calibration", "validation", "test"]

# Part of every hash: another version draws all splits anew. PAIRS_VERSION covers other keys.
SPLITS_VERSION = "1"

# Cumulative shares: 75 % train, 5 % calibration, 8 % validation, 12 % test.
_ENDS: dict[Split, float] = {"train": 0.75, "calibration": 0.80, "validation": 0.88, "test": 1.0}


SPLITS = tuple(_ENDS)


def split_of(key: str) -> Split:
    """Split of the prompt with this key (`split_key`)."""
    hashed = sha256(f"paretosteer-splits-{SPLITS_VERSION}|{key}".encode()).digest()
    share = int.from_bytes(hashed[:8]) / 2**64
    return next(split for split, end in _ENDS.items() if share < end)
