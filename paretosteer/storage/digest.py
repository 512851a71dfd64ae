"""Digests of configurations and files: what makes two stages the same."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from functools import lru_cache
from pathlib import Path
from typing import Any


def canonical(value: Any) -> str:
    """JSON with sorted keys and nothing that depends on who wrote it; no NaN, no infinity."""
    return json.dumps(
        value, sort_keys=True, separators=(",", ":"), ensure_ascii=False, allow_nan=False
    )


def digest(value: Any) -> str:
    """SHA-256 of a JSON-like value, 64 hexadecimal digits."""
    return hashlib.sha256(canonical(value).encode()).hexdigest()


def own_digest(content: Mapping[str, Any]) -> str:
    """SHA-256 of everything in a mapping but its entry `digest`."""
    return digest({name: value for name, value in content.items() if name != "digest"})


def has_own_digest(content: Mapping[str, Any]) -> bool:
    """Whether a mapping is as `with_digest` left it."""
    try:
        return content.get("digest") == own_digest(content)
    except (ValueError, RecursionError):  # NaN, infinity or such a depth were never written
        return False


def with_digest(content: Mapping[str, Any]) -> dict[str, Any]:
    """The mapping with its own digest, by which damage and mistakes show."""
    return {**content, "digest": own_digest(content)}


def file_digest(path: Path) -> str:
    """SHA-256 of a file's bytes, 64 hexadecimal digits."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def input_digest(path: Path) -> str:
    """As `file_digest`, read once while the file's size and time stay the same.

    For what a sweep reads and never writes, and asks about once per cell.
    """
    return _digest_of(path, *seen(path))


def seen(path: Path) -> tuple[int, int]:
    """Size and time of a file, which change when its content does."""
    stat = path.stat()
    return stat.st_size, stat.st_mtime_ns


@lru_cache(maxsize=1024)
def _digest_of(path: Path, size: int, changed: int) -> str:
    return file_digest(path)


def chain(
    name: str,
    config_part: Mapping[str, Any],
    inputs: Mapping[str, str],
    versions: Mapping[str, str],
) -> str:
    """Digest of a stage: its configuration, its inputs' digests, its components' versions."""
    return digest({"stage": name, "config": config_part, "inputs": inputs, "versions": versions})
