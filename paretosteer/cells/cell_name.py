"""Name of a cell's folder: `seed{S}-{identity}`, written and parsed here only."""

from __future__ import annotations

import re

IDENTITY_LENGTH = 10  # hexadecimal digits of the training digest

_NAME = re.compile(rf"seed(\d+)-[0-9a-f]{{{IDENTITY_LENGTH}}}")


def cell_name(seed: int, identity: str) -> str:
    """Name of the folder of a cell."""
    return f"seed{seed}-{identity}"


def seed_of(name: str) -> int | None:
    """Seed in a folder's name; None where the folder is not named as cells are."""
    match = _NAME.fullmatch(name)
    return int(match[1]) if match else None
