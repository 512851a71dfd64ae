"""What a configuration may not do, whoever wrote it: run code, read the environment, write about.

Overrides and YAML files are passed around, and Hydra would do all of that for them: it imports
whatever a `_target_` names, calls resolvers such as `oc.env`, sets variables, opens log files. Here
methods and benchmarks are looked up in the registry, and nothing else is named. A composed
configuration is checked before Hydra acts on it.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from functools import cache
from importlib.resources import files
from typing import Any

from omegaconf import DictConfig, OmegaConf

from paretosteer.errors import UsageError
from paretosteer.redact import holds_secret

# What Hydra makes objects of: its launchers, and those of its plug-ins.
_TARGETS = {
    "hydra.launcher._target_": r"(hydra\._internal\.core_plugins|hydra_plugins)\.[\w.]+",
    "hydra.sweeper._target_": r"hydra\._internal\.core_plugins\.basic_sweeper\.BasicSweeper",
}
# `${sweep_dir}` names another value; of what computes one only these two tell nothing.
_REFERENCE = re.compile(r"\$\{(?:(?:now|hydra):[^{}$]*|[\w.\[\]-]+)\}")
_EMPTY = r"hydra\.(job\.env_(set|copy)|(job|hydra)_logging\.root)\b"
_SHELL = r"hydra\.launcher\.(setup|python|srun_args|additional_parameters)\b"


def check_overrides(overrides: Sequence[str]) -> None:
    """UsageError where an override has a secret, calls a resolver, or imports a package.

    A package on Hydra's search path is imported before there is a configuration to check.
    """
    for override in overrides:
        key, _, value = override.partition("=")
        _check_text(key, value)
        if key.lstrip("+~") == "hydra.searchpath" and "pkg:" in value:
            raise UsageError("hydra.searchpath: packages are not searched; give a folder")


def check(config: DictConfig) -> None:
    """UsageError where a composed configuration would do what only a person may, on a shell."""
    found = dict(_leaves(OmegaConf.to_container(config, resolve=False)))
    asked = [str(override).lstrip("+") for override in _given(found, "hydra.overrides.hydra")]
    for key, value in found.items():
        if isinstance(value, str):
            _check_text(key, value)
        if (key, value) in _launchers():
            continue
        if key.endswith("._target_") and not re.fullmatch(_TARGETS.get(key, ""), str(value)):
            raise UsageError(
                f"{key}: found {value!r}, which names code to run; choose a method, a benchmark or "
                "a launcher by its name"
            )
        if value is not None and re.match(_EMPTY, key):
            raise UsageError(f"{key}: is not for a configuration; set it on the shell instead")
        if value is not None and re.match(_SHELL, key) and not _is_asked(key, asked):
            raise UsageError(
                f"{key}: reaches a shell, which no file may decide; give it on the command line"
            )
    if "hydra.mode" in found:  # without Hydra's own part there is nothing more to check
        _check_packaged(found)


def _check_text(key: str, value: str) -> None:
    if "${" in _REFERENCE.sub("", value):
        raise UsageError(
            f"{key}: computes its value with a resolver, which could read the environment; "
            "write the value itself, or ${key} for another key's"
        )
    if holds_secret(value):
        raise UsageError(
            f"{key}: holds a password or token, which every record would keep; leave it out and "
            "give it by the environment (HF_TOKEN, WANDB_API_KEY) or ~/.netrc"
        )


def _check_packaged(found: Mapping[str, Any]) -> None:
    """What conf/config.yaml says to Hydra holds: where it writes, and what it calls."""
    for key, value in _packaged().items():
        if found.get(key) != value:
            raise UsageError(f"{key}: found {found.get(key)!r}, cannot be changed; use sweep_dir")


@cache
def _packaged() -> dict[str, Any]:
    text = (files("paretosteer.conf") / "config.yaml").read_text(encoding="utf-8")
    return dict(_leaves({"hydra": OmegaConf.to_container(OmegaConf.create(text).hydra)}))


@cache
def _launchers() -> set[tuple[str, Any]]:
    """What the package's own launchers say: their callbacks, what they run before a cell."""
    folder = files("paretosteer.conf") / "launcher"
    texts = [each.read_text(encoding="utf-8") for each in folder.iterdir() if each.is_file()]
    parts = [OmegaConf.to_container(OmegaConf.create(text)) for text in texts]
    return {leaf for part in parts for leaf in _leaves(part) if leaf[0].startswith("hydra.")}


def _leaves(node: Any, key: str = "") -> Iterator[tuple[str, Any]]:
    """Every value of a configuration with its dotted key."""
    if isinstance(node, Mapping | list):
        items = node.items() if isinstance(node, Mapping) else enumerate(node)
        for name, value in items:
            yield from _leaves(value, f"{key}.{name}" if key else str(name))
    else:
        yield key, node


def _given(found: Mapping[str, Any], prefix: str) -> Iterator[Any]:
    return (value for key, value in found.items() if key.startswith(f"{prefix}."))


def _is_asked(key: str, overrides: Sequence[str]) -> bool:
    """Whether an override sets a key of the launcher, or what it is in."""
    name = re.match(_SHELL, key)
    return name is not None and any(override.startswith(name[0]) for override in overrides)
