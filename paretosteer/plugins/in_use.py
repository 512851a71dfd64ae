"""Plug-ins used by a cell, and their entries in its record."""

from __future__ import annotations

import shlex
from collections.abc import Iterable, Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, get_args

from paretosteer.errors import UsageError
from paretosteer.plugins import conf_files, registry
from paretosteer.plugins.local_modules import local_digests
from paretosteer.storage.digest import digest, file_digest

if TYPE_CHECKING:
    from paretosteer.config.schema import CellConfig

# Folders in a package into which runs write, so that they are no part of its code.
_WRITTEN = {"__pycache__", "logs", "mlruns", "multirun", "outputs", "results", "runs", "wandb"}

# Options by which a method names another plug-in, and the plug-in's group.
METHOD_OPTIONS: Mapping[str, registry.Group] = {
    "feedback": "feedback",
    "condition": "conditionings",
}


def used(config: CellConfig) -> list[registry.Offer]:
    """Plug-ins that provide a cell's method, benchmark, objectives, feedback or conditioning."""
    method: tuple[registry.Group, str] = ("methods", config.method.name)
    benchmark: tuple[registry.Group, str] = ("benchmarks", config.benchmark.name)
    parts = [method, benchmark]
    try:
        chosen = _chosen(benchmark, "objectives", config.benchmark.values)
        if isinstance(chosen, list | tuple):
            parts += [("objectives", str(name)) for name in chosen]
        for option, group in METHOD_OPTIONS.items():
            if isinstance(kind := _chosen(method, option, config.method.values), str):
                parts.append((group, kind))
        return _plugins(parts)
    except UsageError:  # planning the cell raises the same error with more context
        return []


def check_named(group: registry.Group, name: str, options: Any) -> None:
    """UsageError for a plug-in that a method uses and its options do not name.

    Its code would not be part of the cell's identity, so edited code would reuse old results.
    """
    offer = registry.find(group, name)
    fields = [option for option, of in METHOD_OPTIONS.items() if of == group]
    if offer and not offer.built_in and name not in [getattr(options, x, None) for x in fields]:
        raise UsageError(
            f"{offer.kind} {name!r} of {offer.origin}: the method uses it, but its options do not "
            f"name it, so no record would; set `{fields[0]}` in the method's Options to {name!r}"
        )


def scoring_code(benchmark: str, objectives: Iterable[str] = ()) -> dict[str, str]:
    """Digest of the code of a plug-in benchmark and of plug-in objectives, for keys of caches.

    Unlike a version, it differs between two files, and between an edited package and itself.
    """
    return digests(
        _plugins([("benchmarks", benchmark), *(("objectives", name) for name in objectives)])
    )


def command(config: CellConfig, plugins: Sequence[registry.Offer]) -> str:
    """Command that runs a cell again, with the folder of `--config-dir` and its plug-in files."""
    files = dict.fromkeys(str(offer.path) for offer in plugins if offer.path)
    words = [word for file in files for word in ("--plugin", file)]
    if own := conf_files.own_folder():
        words = ["--config-dir", str(own), *words]
    return " ".join([config.command, *map(shlex.quote, words)])


def origins(plugins: Sequence[registry.Offer]) -> dict[str, str]:
    """Package or file of every plug-in, by part of the cell, such as `method sharp`."""
    return {_part(offer): offer.origin for offer in plugins}


def plugin_files(plugins: Sequence[registry.Offer]) -> dict[str, str]:
    """Digest of every single-file plug-in, by part of the cell.

    A file has no releases, so its digest serves as its version. A package states its own.
    """
    return {_part(offer): offer.digest for offer in plugins if offer.digest}


def kind_versions(config: CellConfig) -> dict[str, str]:
    """Versions of plug-in feedback kinds and conditionings; built-in ones share the method's."""
    offers = [offer for offer in used(config) if offer.group in METHOD_OPTIONS.values()]
    return {_part(offer): offer.load().version for offer in offers}


def digests(plugins: Sequence[registry.Offer]) -> dict[str, str]:
    """Digest of the code of every plug-in, by part of the cell."""
    return {_part(offer): offer.digest or _package_digest(tuple(offer.code)) for offer in plugins}


def need(folder: Path, plugins: Mapping[str, str]) -> None:
    """Raise UsageError if a plug-in named in a cell's record is not installed."""
    if reason := missing(plugins):
        raise UsageError(f"{folder}: {reason}")


def missing(plugins: Mapping[str, str]) -> str:
    """First plug-in named in a cell's record that is not installed, with the remedy; or ""."""
    for part, origin in plugins.items():
        if _found(part) is None:
            kind, _, name = part.partition(" ")
            is_file = Path(origin).is_absolute()  # a package is a name and a version
            remedy = f"pass --plugin {origin}" if is_file else f"install {origin}"
            return f"needs the {kind} {name!r} of {origin}; {remedy}"
    return ""


def installed_plugins(plugins: Iterable[str]) -> list[registry.Offer]:
    """Installed plug-ins among those named in a cell's record."""
    return [offer for part in plugins if (offer := _found(part))]


def _plugins(parts: Iterable[tuple[registry.Group, str]]) -> list[registry.Offer]:
    """Plug-ins among these parts; UsageError where several have the name of one."""
    offers = [registry.find(*part) for part in parts]
    return [offer for offer in offers if offer and not offer.built_in]


def _chosen(owner: tuple[registry.Group, str], option: str, values: Mapping[str, Any]) -> Any:
    """Value of an option, or the constant of that name in the options of a method or benchmark."""
    if option in values:
        return values[option]
    offer = registry.find(*owner)
    return getattr(offer.load().Options, option, None) if offer else None


def _found(part: str) -> registry.Offer | None:
    kind, _, name = part.partition(" ")
    groups = {registry.singular(group): group for group in get_args(registry.Group)}
    return registry.find(groups[kind], name) if kind in groups else None


def _part(offer: registry.Offer) -> str:
    return f"{offer.kind} {offer.name}"


@cache
def _package_digest(code: Sequence[Path]) -> str:
    """Joint digest of all files of a package, or of its single module, and of what they import."""
    files = {path.name: path for path in code if path.is_file()}
    for root in [path for path in code if path.is_dir()]:
        for path in sorted(root.rglob("*")):
            name = path.relative_to(root)
            written = any(part.startswith(".") or part in _WRITTEN for part in name.parts)
            if path.is_file() and not written and path.suffix not in (".log", ".pyc"):
                files[name.as_posix()] = path
    found = {name: file_digest(path) for name, path in files.items()}
    sources = [path for path in files.values() if path.suffix == ".py"]
    return digest(found | local_digests(sources))
