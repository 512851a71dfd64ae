"""Refuse configurations that would run code, read the environment, or write outside the sweep.

Overrides and YAML files are passed around, and Hydra would do all of that for them: it imports
whatever a `_target_` names, calls resolvers such as `oc.env`, sets variables, opens log files. A
configuration needs none of it, since methods and benchmarks are looked up in the registry. A
composed configuration is checked before Hydra acts on it.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from functools import cache
from importlib.resources import files
from typing import Any

from hydra.core.config_store import ConfigStore
from hydra.core.override_parser.overrides_parser import OverridesParser
from omegaconf import DictConfig, OmegaConf

from paretosteer.errors import UsageError
from paretosteer.runtime.secrets import holds_secret

# `${sweep_dir}` refers to another value. Only these two resolvers cannot reveal the environment.
_REFERENCE = re.compile(r"\$\{(?:(?:now|hydra):[^{}$]*|[\w.\[\]-]+)\}")
_EMPTY = r"hydra\.(job\.env_(set|copy)|(job|hydra)_logging\.root)\b"
_PERSONAL = r"hydra\.launcher\.(setup|ray\.init\.address)\b"  # commands, who gets WANDB_API_KEY


def check_overrides(overrides: Sequence[str]) -> None:
    """UsageError where an override has a secret, calls a resolver, or imports a package.

    A package on Hydra's search path is imported before there is a configuration to check.
    """
    for override in overrides:
        key, _, value = override.partition("=")
        _check_text(key, value)
        if re.match(_EMPTY, key.lstrip("+~")):  # Hydra copies variables while it composes
            raise UsageError(_shell(key))
        if key.lstrip("+~") == "hydra.searchpath" and "pkg:" in value.replace("\\", ""):
            raise UsageError("hydra.searchpath: packages are not searched; give a folder")


def check_replayed(config: DictConfig, given: Sequence[str]) -> None:
    """UsageError where a file adds to the overrides of which Hydra composes a sweep's jobs."""
    replayed = config.hydra.overrides
    if len(replayed.hydra) + len(replayed.task) > len(given):
        raise UsageError("hydra.overrides: cannot be set in a file; use the command line")
    swept = config.hydra.sweeper.params or {}
    check_overrides([f"{key}={value}" for key, value in swept.items()])


def check(config: DictConfig, given: Sequence[str]) -> None:
    """UsageError where a composed configuration would do what is left to the user's shell.

    `given` are the overrides of the command line: files can add to Hydra's own list of them.
    """
    found = dict(_leaves(OmegaConf.to_container(config, resolve=False)))
    decided = _of_files() | _asked(tuple(given))
    for key, value in found.items():
        if isinstance(value, str):
            _check_text(key, value)
        if (key, value) in _known():
            continue
        if key.endswith("._target_"):
            raise UsageError(
                f"{key}: found {value!r}, which names code to run; choose a method, a benchmark or "
                "a launcher by its name"
            )
        if value is not None and re.match(_EMPTY, key):
            raise UsageError(_shell(key))
        if re.match(r"hydra\.launcher\b", key) and key not in decided:
            raise UsageError(f"{key}: cannot be set in a file; give it on the command line")
    _check_packaged(found)
    _check_printable(OmegaConf.to_container(config.hydra.launcher, resolve=True))


def _shell(key: str) -> str:
    return f"{key}: cannot be set in a configuration; set it in the shell"


def _check_text(key: str, value: str) -> None:
    if "${" in _REFERENCE.sub("", value):
        raise UsageError(
            f"{key}: uses a resolver, which could read the environment; "
            "write the value, or ${key} to refer to another key"
        )
    if holds_secret(f"{key}={value}"):
        raise UsageError(
            f"{key}: holds a password or token, which every record would store; leave it out and "
            "set it in the environment (HF_TOKEN, WANDB_API_KEY) or in ~/.netrc"
        )


def _check_printable(launcher: Any) -> None:
    """UsageError for control characters: a line feed would add a line to the sbatch script."""
    for key, value in _leaves(launcher, "hydra.launcher"):
        if not f"{key}{value}".isprintable():
            raise UsageError(f"{key}: found {value!r}, which has a control character; leave it out")


def _check_packaged(found: Mapping[str, Any]) -> None:
    """UsageError where a setting of conf/config.yaml for Hydra was changed."""
    for key, value in _packaged().items():
        if found.get(key) != value:
            raise UsageError(
                f"{key}: found {found.get(key)!r}, but it is fixed; set sweep_dir instead"
            )


@cache
def _packaged() -> dict[str, Any]:
    text = (files("paretosteer.conf") / "config.yaml").read_text(encoding="utf-8")
    return dict(_leaves({"hydra": OmegaConf.to_container(OmegaConf.create(text).hydra)}))


@cache
def _known() -> set[tuple[str, Any]]:
    """Values that our launchers, and Hydra's launchers and sweeper, set themselves."""
    store = ConfigStore.instance()
    names = [f"hydra/launcher/{name}" for name in store.list("hydra/launcher")]
    known = set(_launchers())
    for name in (*names, "hydra/sweeper/basic.yaml"):
        said = OmegaConf.to_container(store.load(name).node, resolve=False)
        known.update(_leaves(said, name.rpartition("/")[0].replace("/", ".")))
    return known


@cache
def _launchers() -> frozenset[tuple[str, Any]]:
    """Values that our launchers set, such as their callbacks."""
    folder = files("paretosteer.conf") / "launcher"
    texts = [each.read_text(encoding="utf-8") for each in folder.iterdir() if each.is_file()]
    parts = [OmegaConf.to_container(OmegaConf.create(text)) for text in texts]
    return frozenset(
        leaf for part in parts for leaf in _leaves(part) if leaf[0].startswith("hydra.")
    )


@cache
def _of_files() -> frozenset[str]:
    """Keys of a launcher that a file may set: those in conf/launcher, but no command or address."""
    return frozenset(key for key, _ in _launchers() if not re.match(_PERSONAL, key))


@cache
def _asked(given: tuple[str, ...]) -> frozenset[str]:
    """Keys that the overrides set, down to single values; a file may add others beside them."""
    parsed = OverridesParser.create().parse_overrides(list(given))
    return frozenset(key for one in parsed for key, _ in _leaves(one.value(), one.key_or_group))


def _leaves(node: Any, key: str = "") -> Iterator[tuple[str, Any]]:
    """Every value of a configuration with its dotted key.

    Dots inside a name are escaped, so two values never have the same key.
    """
    if isinstance(node, Mapping | list):
        items = node.items() if isinstance(node, Mapping) else enumerate(node)
        for name, value in items:
            escaped = str(name).replace(".", r"\.")
            yield from _leaves(value, f"{key}.{escaped}" if key else escaped)
    else:
        yield key, node
