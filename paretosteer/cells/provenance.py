"""Provenance of a result: the code, its commit, and the versions of its libraries."""

from __future__ import annotations

import subprocess
from functools import cache
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any

from paretosteer.plugins import in_use
from paretosteer.runtime.libraries import library_versions
from paretosteer.storage.digest import digest, file_digest

if TYPE_CHECKING:
    from collections.abc import Sequence

    from paretosteer.plugins.registry import Offer

# In a checkout these are folders beside the first; in a wheel they are below it.
_PACKAGES = (
    "paretosteer",
    "paretosteer.methods",
    "paretosteer.benchmarks",
    "paretosteer.metrics",
    "paretosteer.conf",
)


def source_digest(plugins: Sequence[Offer] = ()) -> str:
    """Digest of the package's own Python files and of those of plug-ins.

    The same in a checkout and in a wheel.
    """
    return digest(_own_digests() | in_use.digests(plugins))


def versions(plugins: Sequence[Offer] = ()) -> dict[str, str]:
    """Versions of Python, of the libraries that results can depend on, and of plug-ins."""
    return {**library_versions()} | {
        offer.package: offer.version for offer in plugins if offer.package
    }


@cache
def _own_digests() -> dict[str, str]:
    return {name: file_digest(path) for name, path in _sources().items()}


@cache
def git() -> dict[str, Any]:
    """`commit` and `dirty` of the checkout that the code runs from; None without a checkout.

    Only changes to the code make it dirty, not those to other files, tracked or not.
    """
    checkout = _folder("paretosteer").parent
    commit = _git(checkout, "rev-parse", "HEAD") if (checkout / ".git").exists() else None
    if commit is None:
        return {"commit": None, "dirty": None}
    folders = [name.split(".")[-1] for name in _PACKAGES]
    return {
        "commit": commit,
        "dirty": _git(checkout, "status", "--porcelain", "--", *folders) != "",
    }


def _git(folder: Path, *arguments: str) -> str | None:
    """Output of a git command; None if it fails or git is missing."""
    try:
        done = subprocess.run(
            ["git", "-C", str(folder), *arguments], capture_output=True, text=True, timeout=30
        )
    except (OSError, subprocess.TimeoutExpired):
        return None
    return done.stdout.strip() if done.returncode == 0 else None


def _folder(package: str) -> Path:
    spec = find_spec(package)
    assert spec is not None and spec.origin is not None
    return Path(spec.origin).parent


def _sources() -> dict[str, Path]:
    """Every Python file by its place in the installed package."""
    found = {}
    for package in _PACKAGES:
        folder = _folder(package)
        prefix = package.replace(".", "/")
        for path in sorted(folder.rglob("*.py")):
            found[f"{prefix}/{path.relative_to(folder).as_posix()}"] = path
    return found
