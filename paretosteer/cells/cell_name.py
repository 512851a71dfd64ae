"""Names of a cell: of its folder, `seed{S}-{identity}`, and for people."""

from __future__ import annotations

import re

IDENTITY_LENGTH = 10  # hexadecimal digits of the training digest

_NAME = re.compile(rf"seed(\d+)-[0-9a-f]{{{IDENTITY_LENGTH}}}")


def cell_name(seed: int, identity: str) -> str:
    """Name of the folder of a cell."""
    return f"seed{seed}-{identity}"


def cell_title(method: str, variant: str, seed: int) -> str:
    """Name of a cell by its progress bar and in trackers, such as `clp rank=2 seed 0`."""
    return " ".join(f"{method} {variant} seed {seed}".split())


def tracking_key(identity: str, score_digest: str) -> str:
    """Key of a cell in trackers: cells that are evaluated otherwise have other keys."""
    return f"{identity}-{score_digest[:8]}"


def seed_of(name: str) -> int | None:
    """Seed in a folder's name; None where the folder is not named as cells are."""
    match = _NAME.fullmatch(name)
    return int(match[1]) if match else None
