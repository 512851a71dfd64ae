"""What the folder of an exported policy states about itself, where it is read again."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from paretosteer.errors import UsageError

ABOUT = "paretosteer.json"


def read_about(folder: Path, what: str) -> Mapping[str, Any]:
    """Metadata of an exported policy; empty for any other folder. `what` begins an error."""
    file = folder / ABOUT
    if not file.is_file():
        return {}
    try:
        found = json.loads(file.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        found = None
    if not (isinstance(found, Mapping) and isinstance(found.get("start_model"), Mapping)):
        raise UsageError(f"{what}: its {ABOUT} is damaged; export the policy again")
    return found


def prefix_note(what: str, about: Mapping[str, Any]) -> list[str]:
    """Note on an exported policy that was trained with a preference in every prompt."""
    if not (prefix := about.get("prefix")):
        return []
    return [
        f"{what} was exported from a policy that read {prefix!r} before every prompt. Prompts here "
        "do not begin with it."
    ]
