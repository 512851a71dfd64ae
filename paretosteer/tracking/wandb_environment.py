"""wandb's environment variables: settings given here win over them, our defaults do not.

wandb itself lets every argument of `wandb.init` win. `WANDB_TAGS`, `WANDB_NOTES` and what else has
no setting here are left to wandb; `WANDB_RUN_ID` is not used, since every cell has its own id.
"""

from __future__ import annotations

import os
import shlex
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from paretosteer.cells.cell_name import seed_of
from paretosteer.config.schema import NoTracking, WandbTracking

_MODES = {"dryrun": "offline", "run": "online"}  # wandb's earlier names
# Seconds for a server to answer: wandb's 90 are long for a cell of minutes.
_OWN = {"console": "off", "silent": True, "init_timeout": 30.0}
_unreachable = False


def with_environment(settings: WandbTracking, mode: str | None = None) -> WandbTracking:
    """Settings with values for project and mode, and those of entity and group if there are any.

    `mode` is the default, instead of online if an API key is set and offline otherwise.
    """
    default = mode or ("online" if os.environ.get("WANDB_API_KEY") else "offline")
    # As in the Trainer of transformers.
    if mode is None and str(variable("DISABLED")).lower() in ("1", "true", "yes", "on"):
        default = "disabled"
    chosen = settings.mode or variable("MODE", default)
    chosen = _MODES.get(str(chosen), chosen)
    filled = {
        "project": settings.project or variable("PROJECT", "paretosteer"),
        "entity": settings.entity or variable("ENTITY"),
        "group": settings.group or variable("RUN_GROUP"),
        "mode": "offline" if chosen == "online" and _unreachable else chosen,
    }
    return settings.model_copy(update=filled)


def stay_offline() -> None:
    """Make the later runs of this process offline, so that they do not wait for a server again."""
    global _unreachable
    _unreachable = True


def variable(name: str, default: str | None = None) -> str | None:
    """Value of `WANDB_{name}`; the default where it is not set or empty."""
    return os.environ.get(f"WANDB_{name}") or default


def own_settings() -> dict[str, Any]:
    """Our defaults of `wandb.Settings` that the environment does not set."""
    return {name: value for name, value in _OWN.items() if variable(name.upper()) is None}


def root(folder: Path) -> Path:
    """Folder in which wandb makes its own: `WANDB_DIR`, or else the one given."""
    return Path(variable("DIR") or folder).expanduser()


def written(folder: Path) -> Path:
    """Folder that holds wandb's runs of a cell or sweep."""
    hidden = root(folder) / ".wandb"
    return hidden if hidden.is_dir() else root(folder) / "wandb"


def sync_command(
    settings: NoTracking | WandbTracking, sweeps: Iterable[Path] = (), cells: Iterable[Path] = ()
) -> str:
    """Shell command that sends the runs of sweeps and cells; empty where they are not offline.

    A cell that an earlier command finished without tracking has no run: then the command is the
    export, which makes runs of all cells.
    """
    if isinstance(settings, NoTracking) or with_environment(settings).mode != "offline":
        return ""
    sweeps, cells = list(sweeps), list(cells)
    folders = [shlex.quote(str(written(folder))) for folder in (*sweeps, *cells)]
    if variable("DIR") is None:
        finished = [record.parent for sweep in sweeps for record in sweep.glob("*/*/*/record.json")]
        if not all(written(cell).is_dir() for cell in (*finished, *cells)):
            return "; ".join(_export(settings, folder) for folder in (*sweeps, *cells))
        folders += [f"{shlex.quote(str(sweep))}/*/*/seed*/wandb" for sweep in sweeps]
    return f"wandb sync {' '.join(dict.fromkeys(folders))}"


def _export(settings: WandbTracking, folder: Path) -> str:
    """Command that exports a folder with the same project, entity and group."""
    names = {name: getattr(settings, name) for name in ("project", "entity", "group")}
    if seed_of(folder.name) is not None:  # a cell's group is its sweep
        names["group"] = names["group"] or folder.resolve().parents[2].name
    options = [f"--{name} {shlex.quote(value)}" for name, value in names.items() if value]
    return " ".join(["paretosteer export-wandb", shlex.quote(str(folder)), *options])
