"""What the folder of a model states that does not run, for the record."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from paretosteer.storage.safetensors_only import read_model_json
from paretosteer.text.exported import prefix_note, read_about
from paretosteer.text.stated_config import unread_settings


def model_notes(what: str, network: Any, tokenizer: Any, folder: str) -> list[str]:
    """Notes on code of a model's own, on settings nobody reads, and on a prefix that is absent.

    `what` begins each sentence, such as "The start model".
    """
    notes = _code_not_run(what, network, tokenizer)
    if settings := unread_settings(network, folder):
        kind = type(network).__name__
        notes.append(f"{what} sets {', '.join(settings)}, which {kind} does not read.")
    if _two_templates(Path(folder)):
        notes.append(
            f"{what} has two chat templates; that of chat_template.jinja is used, not the one of "
            "tokenizer_config.json."
        )
    return [*notes, *prefix_note(what, read_about(Path(folder), what))]


def _code_not_run(what: str, network: Any, tokenizer: Any) -> list[str]:
    """Note on code of a model's own, instead of which transformers' class is used."""
    parts = {
        type(network).__name__: getattr(network.config, "auto_map", None),
        type(tokenizer).__name__: getattr(tokenizer, "init_kwargs", {}).get("auto_map"),
    }
    names = [name for name, mapped in parts.items() if mapped]
    if not names:
        return []
    used = " and ".join(names)
    return [f"{what} names code of its own, which is not run; {used} reads its files."]


def _two_templates(folder: Path) -> bool:
    """True if two files of a folder have different chat templates."""
    alone, config = folder / "chat_template.jinja", folder / "tokenizer_config.json"
    if not (alone.is_file() and config.is_file()):
        return False
    inside = read_model_json(config).get("chat_template")
    return isinstance(inside, str) and inside.strip() != alone.read_text(encoding="utf-8").strip()
