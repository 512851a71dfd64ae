"""Refuse overrides that would discard another setting, as Hydra does without a word.

Where `benchmark.rewards.helpful` is a path, `benchmark.rewards.helpful.sign=-1` would leave a sign
without a path; in the other order, a path without the sign.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import combinations
from typing import Any

from hydra.core.override_parser.types import Override
from omegaconf import DictConfig, OmegaConf

from paretosteer.errors import UsageError


def check(overrides: Sequence[Override]) -> None:
    """UsageError where one override sets a value, and another a key inside it."""
    # Single names are groups: `model=hf model.path=DIR` chooses one, then changes a key of it.
    values = [each for each in overrides if "." in each.key_or_group]
    for first, second in combinations(values, 2):
        if _inside(second, first) and _whole(first):
            raise _error(str(second.input_line), first.key_or_group, str(first.input_line))
        if _inside(first, second) and (_whole(second) or second.is_delete()):
            raise _error(str(first.input_line), second.key_or_group, str(second.input_line))


def check_files(key: str, inside: str, config: DictConfig) -> None:
    """UsageError where `inside`, an override, sets a part of a value that a file gives whole."""
    found = OmegaConf.select(config, key, throw_on_missing=False)
    if found is not None and not isinstance(found, DictConfig):
        raise _error(inside, key, f"{key}={found}")


def kept_keys(overrides: Sequence[Override], config: DictConfig) -> list[str]:
    """Notes on mappings that Hydra merges with those of files, whose other keys stay."""
    notes = []
    for each in overrides:
        key = each.key_or_group
        given: Any = None if each.is_sweep_override() else each.value()
        found = OmegaConf.select(config, key, throw_on_missing=False) if "." in key else None
        if not (isinstance(given, Mapping) and isinstance(found, DictConfig)):
            continue
        plain: Any = OmegaConf.to_container(found)
        if given and (kept := _kept(given, plain)):
            notes.append(
                f"{key}: {str(each.input_line)!r} is merged with the settings of a file, which "
                f"keeps {', '.join(kept)}"
            )
    return notes


def _kept(given: Mapping[Any, Any], found: Mapping[str, Any], prefix: str = "") -> list[str]:
    """Settings `key=value` of a merged mapping that are not among those given."""
    names = {str(name): value for name, value in given.items()}
    kept = []
    for key, value in found.items():
        if key not in names and not prefix and isinstance(value, Mapping):
            continue  # another entry, as of another objective
        if key not in names and value is not None:
            kept.append(f"{prefix}{key}={value}")
        elif isinstance(own := names.get(key), Mapping) and isinstance(value, Mapping):
            kept += _kept(own, value, f"{prefix}{key}.")
    return kept


def _inside(inner: Override, outer: Override) -> bool:
    return inner.key_or_group.startswith(f"{outer.key_or_group}.")


def _whole(override: Override) -> bool:
    """True for a value that is not merged with what is there."""
    value: Any = override.value()
    return value is not None and not isinstance(value, Mapping)


def _error(inner: str, key: str, other: str) -> UsageError:
    name, _, value = inner.partition("=")
    part = name.lstrip("+~").removeprefix(f"{key}.")
    return UsageError(
        f"{key}.{part}: {other!r} sets {key} as a whole, so one of the two would be lost; give "
        f"both at once, as in '{key}={{{part}: {value}, …}}'"
    )
