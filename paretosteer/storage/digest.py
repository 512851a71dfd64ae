"""Digests of configurations and files, which identify stages."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from functools import lru_cache
from pathlib import Path
from typing import Any


def canonical(value: Any) -> str:
    """JSON in a canonical form: sorted keys, no spaces. NaN and infinity raise ValueError."""
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
    """True if a mapping is unchanged since `with_digest`."""
    try:
        return content.get("digest") == own_digest(content)
    except (ValueError, RecursionError):  # `with_digest` never writes NaN, infinity or such a depth
        return False


def with_digest(content: Mapping[str, Any]) -> dict[str, Any]:
    """Mapping with its own digest, by which damage is detected."""
    return {**content, "digest": own_digest(content)}


def file_digest(path: Path) -> str:
    """SHA-256 of a file's bytes, 64 hexadecimal digits."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def input_digest(path: Path) -> str:
    """Like `file_digest`, but cached while the file stays the same, as far as `seen` shows.

    For inputs, which a sweep only reads, and whose digests it needs once per cell.
    """
    return _digest_of(path, *seen(path))


def seen(path: Path) -> tuple[int, ...]:
    """Properties of a file that change with its content, even where its times are preserved."""
    stat = path.stat()
    return stat.st_size, stat.st_mtime_ns, stat.st_ctime_ns, stat.st_ino


@lru_cache(maxsize=1024)
def _digest_of(path: Path, *properties: int) -> str:
    return file_digest(path)


def chain(
    name: str,
    config_part: Mapping[str, Any],
    inputs: Mapping[str, str],
    versions: Mapping[str, str],
) -> str:
    """Digest of a stage: its configuration, its inputs' digests, its components' versions."""
    return digest({"stage": name, "config": config_part, "inputs": inputs, "versions": versions})
