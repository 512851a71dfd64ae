"""The plug-ins that a cell is made with, and what its record keeps of them."""

from __future__ import annotations

import shlex
from collections.abc import Iterable, Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, get_args

from paretosteer.errors import UsageError
from paretosteer.plugins import registry
from paretosteer.storage.digest import digest, file_digest

if TYPE_CHECKING:
    from paretosteer.config.schema import CellConfig


def used(config: CellConfig) -> list[registry.Offer]:
    """Those that provide a cell's method, benchmark, feedback or text objectives."""
    parts: list[tuple[registry.Group, str]] = [
        ("methods", config.method.name),
        ("benchmarks", config.benchmark.name),
    ]
    chosen = config.benchmark.values.get("objectives")
    if isinstance(chosen, list | tuple):
        parts += [("objectives", str(name)) for name in chosen]
    if isinstance(kind := config.method.values.get("feedback"), str):
        parts.append(("feedback", kind))
    try:
        offers = [registry.find(*part) for part in parts]
    except UsageError:  # a cell that cannot be looked up uses none; its own error says why
        return []
    return [offer for offer in offers if offer and not offer.built_in]


def command(config: CellConfig, plugins: Sequence[registry.Offer]) -> str:
    """The command that runs a cell again, with the files that it needs."""
    files = dict.fromkeys(str(offer.path) for offer in plugins if offer.path)
    return config.command + "".join(f" --plugin {shlex.quote(file)}" for file in files)


def origins(plugins: Sequence[registry.Offer]) -> dict[str, str]:
    """By part of the cell, such as `method sharp`, whose it is."""
    return {_part(offer): offer.origin for offer in plugins}


def plugin_files(plugins: Sequence[registry.Offer]) -> dict[str, str]:
    """By part of the cell, the digest of the single file that it comes from.

    A file has no releases, so each state of it is a version. A package states its own.
    """
    return {_part(offer): offer.digest for offer in plugins if offer.digest}


def feedback_version(config: CellConfig) -> dict[str, str]:
    """Version of the feedback kind where it is a plug-in; built-in ones go with the method."""
    offers = [offer for offer in used(config) if offer.group == "feedback"]
    return {_part(offer): offer.load().version for offer in offers}


def digests(plugins: Sequence[registry.Offer]) -> dict[str, str]:
    """By part of the cell, the digest of the code that it comes from."""
    return {_part(offer): offer.digest or _package_digest(offer.module) for offer in plugins}


def need(folder: Path, plugins: Mapping[str, str]) -> None:
    """UsageError where a plug-in that a cell's record names is not installed."""
    for part, origin in plugins.items():
        if _found(part) is None:
            kind, _, name = part.partition(" ")
            remedy = f"say --plugin {origin}" if _is_file(origin) else f"install {origin}"
            raise UsageError(f"{folder}: was made with the {kind} {name!r} of {origin}; {remedy}")


def at_hand(plugins: Iterable[str]) -> list[registry.Offer]:
    """The plug-ins that a cell's record names, as far as they are installed."""
    return [offer for part in plugins if (offer := _found(part))]


def _found(part: str) -> registry.Offer | None:
    kind, _, name = part.partition(" ")
    group = next(each for each in get_args(registry.Group) if registry.singular(each) == kind)
    return registry.find(group, name)


def _is_file(origin: str) -> bool:
    return Path(origin).is_absolute()  # a package is a name and a version


def _part(offer: registry.Offer) -> str:
    return f"{offer.kind} {offer.name}"


@cache
def _package_digest(module: str) -> str:
    """Digest of every Python file of the package that a module is in; of none where it is gone."""
    spec = registry.locate(module.partition(".")[0])
    places = [Path(place) for place in (spec and spec.submodule_search_locations) or ()]
    found = {
        path.relative_to(place).as_posix(): path for place in places for path in place.rglob("*.py")
    }
    if spec and spec.origin and not places:
        found = {module: Path(spec.origin)}
    return digest({name: file_digest(path) for name, path in found.items()})
