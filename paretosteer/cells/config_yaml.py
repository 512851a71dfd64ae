"""`config.yaml` of a cell: its resolved configuration, for people and for tools.

Runs never read it, so editing it changes no result; the record holds the same configuration.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from paretosteer.storage.atomic import atomic_write
from paretosteer.storage.untrusted import RefusedError, digest

if TYPE_CHECKING:
    from paretosteer.cells.record import ScoredRecord

CONFIG = "config.yaml"


def write_config(folder: Path, config: Mapping[str, Any]) -> None:
    """Write the configuration of a cell into its folder."""
    with atomic_write(folder / CONFIG) as draft:
        draft.write_text(config_text(config), encoding="utf-8")


def restore_config(folder: Path, record: ScoredRecord, say: Callable[[str], None]) -> None:
    """Write the file again, with a note, if it is not the one that the record names."""
    try:
        found = digest(folder, CONFIG)
    except RefusedError:
        found = None
    if found != record.files.get(CONFIG):
        say(f"{folder.name}: {CONFIG} is missing or damaged, written again")
        write_config(folder, record.config)


def config_text(config: Mapping[str, Any]) -> str:
    """Configuration of a cell as a run writes it."""
    from omegaconf import OmegaConf

    return OmegaConf.to_yaml(config)
