"""What the folder of an exported policy states about itself, where it is read again."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from paretosteer.errors import UsageError
from paretosteer.storage.digest import input_digest

ABOUT = "paretosteer.json"


def read_about(folder: Path, what: str) -> Mapping[str, Any]:
    """Metadata of an exported policy; empty for any other folder. `what` begins an error.

    Raises
    ------
    UsageError
        If the metadata are damaged, or describe other weights than the folder holds.

    """
    file = folder / ABOUT
    if not file.is_file():
        return {}
    try:
        found = json.loads(file.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        found = None
    if not (
        isinstance(found, Mapping)
        and isinstance(found.get("start_model"), Mapping)
        and isinstance(found.get("weights", {}), Mapping)
    ):
        raise UsageError(f"{what}: its {ABOUT} is damaged; export the policy again")
    if stated := found.get("weights"):
        there = weights_of(folder)
        for name in sorted({*stated, *there}):
            if stated.get(name) != there.get(name):
                raise UsageError(
                    f"{what}: its {ABOUT} describes a {name} other than the one in the folder; "
                    f"remove {ABOUT} if the folder holds another model now, or export the policy "
                    "again"
                )
    return found


def weights_of(folder: Path) -> dict[str, str]:
    """Digest of every file of weights in an export, by its path, for the metadata."""
    found = sorted(folder.rglob("*.safetensors"))
    return {path.relative_to(folder).as_posix(): input_digest(path) for path in found}


def prefix_note(what: str, about: Mapping[str, Any]) -> list[str]:
    """Note on an exported policy that was trained with a preference in every prompt."""
    if not (prefix := about.get("prefix")):
        return []
    return [
        f"{what} was exported from a policy that read {prefix!r} before every prompt. Prompts here "
        "do not begin with it."
    ]
