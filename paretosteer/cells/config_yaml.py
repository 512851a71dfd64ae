"""`config.yaml` of a cell: its configuration, resolved, for people and for tools.

A run never reads it, so what was changed in it changes no figure; the record has the same again.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from hashlib import sha256
from pathlib import Path
from typing import Any

from paretosteer.storage.atomic import atomic_write
from paretosteer.storage.untrusted import RefusedError, digest

CONFIG = "config.yaml"


def write_config(folder: Path, config: Mapping[str, Any]) -> None:
    """Write the configuration of a cell into its folder."""
    with atomic_write(folder / CONFIG) as draft:
        draft.write_text(config_text(config), encoding="utf-8")


def keep_config(folder: Path, record: Mapping[str, Any], say: Callable[[str], None]) -> None:
    """Write it again, and say so, where it is not what the record was written with."""
    try:
        found = digest(folder, CONFIG)
    except RefusedError:
        found = None
    # Earlier versions did not record its digest, and making the text takes longer than all else.
    if found != (record["files"].get(CONFIG) or _digest(record["config"])):
        say(f"{folder.name}: {CONFIG} is missing or damaged, written again")
        write_config(folder, record["config"])


def config_text(config: Mapping[str, Any]) -> str:
    """The configuration of a cell as a run writes it."""
    from omegaconf import OmegaConf

    return OmegaConf.to_yaml(config)


def _digest(config: Mapping[str, Any]) -> str:
    return sha256(config_text(config).encode()).hexdigest()
