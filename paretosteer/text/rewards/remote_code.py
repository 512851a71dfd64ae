"""The one reward model whose own Python code may run, named on the command line.

`--trust-remote-code MODEL` sets an environment variable, so that the jobs of a sweep inherit it. No
configuration file and no record can set it.
"""

from __future__ import annotations

import os
from pathlib import Path

from paretosteer.errors import UsageError
from paretosteer.storage.safetensors_only import read_model_json

VARIABLE = "PARETOSTEER_TRUST_REMOTE_CODE"


def trust(model: str | None) -> None:
    """Trust the code of one model, a folder or a hub name, in this process and its children."""
    if model is None:
        os.environ.pop(VARIABLE, None)
    else:
        os.environ[VARIABLE] = model


def is_trusted(path: str) -> bool:
    """True if the code of this reward model may run."""
    return os.environ.get(VARIABLE) == path


def refuse_foreign_code(path: str, option: str) -> None:
    """Raise UsageError if a folder's configuration names code of another repository."""
    for file in sorted(Path(path).glob("*.json")):
        try:
            mapped = read_model_json(file).get("auto_map")
        except (OSError, ValueError, AttributeError):
            continue  # its reader reports it
        classes = mapped.values() if isinstance(mapped, dict) else ()
        names = [n for c in classes for n in (c if isinstance(c, list) else [c])]
        if foreign := [name for name in names if "--" in str(name)]:
            raise UsageError(
                f"{option}: {file.name} in {path!r} runs the code of another repository, "
                f"{foreign[0]}; copy that code into the folder and name it in auto_map"
            )
