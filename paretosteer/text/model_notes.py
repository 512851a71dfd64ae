"""What the folder of a model states or holds that does not run, or lacks, for the record."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress
from fnmatch import fnmatch
from pathlib import Path
from typing import Any

from paretosteer.storage.safetensors_only import read_model_json, read_weights_files
from paretosteer.text.exported import prefix_note, read_about
from paretosteer.text.loading_warnings import loading_warnings
from paretosteer.text.model_source import missing_files
from paretosteer.text.stated_config import unread_settings

_SHOWN = 3  # names of files
_TOKENS = ("bos_token", "eos_token", "unk_token")  # padding is masked, whatever its token
# Names of whole models; pickles of other names are states of optimisers and the like.
_WEIGHTS = ("*.safetensors", "pytorch_model*.bin", "consolidated*.pth")


def model_notes(what: str, network: Any, tokenizer: Any, folder: str) -> list[str]:
    """Notes on what a folder states or holds besides what runs.

    That is code of the model's own, settings nobody reads, other weights, a second chat template,
    special tokens of another tokenizer, a prefix that is absent, and files that a snapshot of the
    hub may lack. What transformers warned of is among them.

    `what` begins each sentence, such as "The start model".
    """
    notes = _code_not_run(what, network, tokenizer)
    if settings := unread_settings(network, folder):
        kind = type(network).__name__
        notes.append(f"{what} sets {', '.join(settings)}, which {kind} does not read.")
    if others := _other_weights(Path(folder)):
        notes.append(f"{what} has other weights in its folder, which are not read: {others}.")
    if _two_templates(Path(folder)):
        notes.append(
            f"{what} has two chat templates; that of chat_template.jinja is used, not the one of "
            "tokenizer_config.json."
        )
    if tokens := _other_tokens(Path(folder), tokenizer):
        notes.append(f"{what} states special tokens that its tokenizer does not use: {tokens}.")
    if lacking := _incomplete(Path(folder)):
        notes.append(f"{what} is a snapshot in the hub's cache {lacking}.")
    notes += [f"{what}: transformers warns: {each}" for each in loading_warnings(folder)]
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


def _other_weights(folder: Path) -> str:
    """Names of the files of weights that are not read, such as an older format's."""
    read = read_weights_files(folder)
    names = sorted(path.name for path in folder.iterdir())
    others = [
        name
        for name in names
        if name not in read and any(fnmatch(name, pattern) for pattern in _WEIGHTS)
    ]
    return _listed(others)


def _listed(names: Sequence[str]) -> str:
    return ", ".join(names[:_SHOWN]) + (", …" if len(names) > _SHOWN else "")


def _incomplete(folder: Path) -> str:
    """What a snapshot of the hub lacks, or may lack; empty for other folders and whole ones."""
    in_cache = folder.parent.name == "snapshots"
    if not (in_cache and folder.parent.parent.name.startswith("models--")):
        return ""
    missing = missing_files(folder)
    if missing is None:
        return (
            "that may be incomplete, for example without its chat template: it was never compared "
            "with the hub's list of files"
        )
    return f"that lacks {_listed(missing)}" if missing else ""


def _two_templates(folder: Path) -> bool:
    """True if two files of a folder have different chat templates."""
    alone, config = folder / "chat_template.jinja", folder / "tokenizer_config.json"
    if not (alone.is_file() and config.is_file()):
        return False
    inside = read_model_json(config).get("chat_template")
    return isinstance(inside, str) and inside.strip() != alone.read_text(encoding="utf-8").strip()


def _other_tokens(folder: Path, tokenizer: Any) -> str:
    """Special tokens that files of a folder state and the tokenizer does not use."""
    if tokenizer is None:
        return ""
    found = []
    for path in (folder / "tokenizer_config.json", folder / "special_tokens_map.json"):
        for name, stated in _json(path).items():
            token = stated.get("content") if isinstance(stated, dict) else stated
            used = getattr(tokenizer, name, None)
            if name in _TOKENS and isinstance(token, str) and token != used:
                found.append(f"{name} {token!r} of {path.name} ({used!r} is used)")
    for token, number in _json(folder / "added_tokens.json").items():
        if (used := tokenizer.get_vocab().get(token)) != number:
            other = "no such token" if used is None else f"the id {used}"
            found.append(f"{token!r} with id {number} of added_tokens.json (it has {other})")
    return _listed(found)


def _json(path: Path) -> dict[str, Any]:
    """Content of a file that may be absent, or that transformers does not read either."""
    with suppress(OSError, ValueError):
        content = read_model_json(path)
        return content if isinstance(content, dict) else {}
    return {}
