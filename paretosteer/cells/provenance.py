"""Where a result comes from: the code, its commit, and the versions under it."""

from __future__ import annotations

import platform
import shlex
import subprocess
from functools import cache
from importlib.metadata import PackageNotFoundError, version
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any

from paretosteer import registry
from paretosteer.cells.digest import digest, file_digest
from paretosteer.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from paretosteer.cells.config import CellConfig

# In a checkout these live in folders of their own; in a wheel, below the first.
_PACKAGES = (
    "paretosteer",
    "paretosteer.methods",
    "paretosteer.benchmarks",
    "paretosteer.metrics",
    "paretosteer.conf",
)
_LIBRARIES = (
    "paretosteer",
    "accelerate",
    "moocore",
    "numpy",
    "pandas",
    "peft",
    "pymoo",
    "safetensors",
    "tokenizers",
    "torch",
    "transformers",
    "vaderSentiment",
)


def source_digest(plugins: Sequence[registry.Offer] = ()) -> str:
    """Digest of the package's own Python files and of those of plug-ins.

    The same in a checkout and in a wheel.
    """
    others = {_part(offer): offer.digest or _package_digest(offer.module) for offer in plugins}
    return digest(_own_digests() | others)


def versions(plugins: Sequence[registry.Offer] = ()) -> dict[str, str]:
    """Versions of Python, of the libraries that figures can depend on, and of plug-ins."""
    return _own_versions() | {offer.package: offer.version for offer in plugins if offer.package}


def plugins(config: CellConfig) -> list[registry.Offer]:
    """The plug-ins that a cell is made with: its method, its benchmark, its text objectives."""
    parts: list[tuple[registry.Group, str]] = [
        ("methods", config.method.name),
        ("benchmarks", config.benchmark.name),
    ]
    chosen = config.benchmark.values.get("objectives")
    if isinstance(chosen, list | tuple):
        parts += [("objectives", str(name)) for name in chosen]
    try:
        offers = [registry.find(*part) for part in parts]
    except UsageError:  # a cell that cannot be looked up used none; its own error says why
        return []
    return [offer for offer in offers if offer and not offer.built_in]


def command(config: CellConfig, plugins: Sequence[registry.Offer]) -> str:
    """The command that runs a cell again, with the files that it needs."""
    files = dict.fromkeys(str(offer.path) for offer in plugins if offer.path)
    return config.command + "".join(f" --plugin {shlex.quote(file)}" for file in files)


def recorded(plugins: Sequence[registry.Offer]) -> dict[str, str]:
    """What a record keeps of plug-ins: for each part of the cell, whose it is."""
    return {_part(offer): offer.origin for offer in plugins}


def need_plugins(folder: Path, record: Mapping[str, Any]) -> None:
    """UsageError where what a cell was made with is not at hand."""
    for part, origin in record.get("plugins", {}).items():
        kind, _, name = part.partition(" ")
        if registry.find(f"{kind}s", name) is None:  # type: ignore[arg-type]
            file = Path(origin).is_absolute()
            remedy = f"say --plugin {origin}" if file else f"install {origin}"
            raise UsageError(f"{folder}: was made with the {kind} {name!r} of {origin}; {remedy}")


def _part(offer: registry.Offer) -> str:
    return f"{offer.group[:-1]} {offer.name}"


@cache
def _own_digests() -> dict[str, str]:
    return {name: file_digest(path) for name, path in _sources().items()}


@cache
def _package_digest(module: str) -> str:
    """Digest of every Python file of the package that a module is in."""
    spec = registry.locate(module.partition(".")[0])
    assert spec is not None  # it was imported
    places = [Path(place) for place in spec.submodule_search_locations or ()]
    found = {f"{p.relative_to(place)}": p for place in places for p in place.rglob("*.py")}
    if not places and spec.origin:
        found = {module: Path(spec.origin)}
    return digest({name: file_digest(path) for name, path in found.items()})


@cache
def _own_versions() -> dict[str, str]:
    found = {"python": platform.python_version()}
    for name in _LIBRARIES:
        try:
            found[name] = version(name)
        except PackageNotFoundError:
            continue
    return found


@cache
def git() -> dict[str, Any]:
    """`commit` and `dirty` of the checkout that the code runs from; nulls where it is none."""
    checkout = _folder("paretosteer").parent
    commit = _git(checkout, "rev-parse", "HEAD") if (checkout / ".git").exists() else None
    if commit is None:
        return {"commit": None, "dirty": None}
    return {"commit": commit, "dirty": _git(checkout, "status", "--porcelain") != ""}


def _git(folder: Path, *arguments: str) -> str | None:
    """Output of a git command, None where git or an answer is missing."""
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
