"""The base model and the tokenizer of a PEFT adapter, compared with those of the start model."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

from paretosteer.errors import UsageError
from paretosteer.storage.safetensors_only import read_model_json
from paretosteer.text.model_source import model_digest
from paretosteer.text.read_peft import CONFIG, TOKENIZER, VOCABULARY, Adapter, refusal
from paretosteer.text.read_tokenizer import read_tokenizer, split_alike

if TYPE_CHECKING:
    from paretosteer.config.schema import Model
    from paretosteer.config.setting import Setting
    from paretosteer.text.model import LanguageModel


def base_notes(adapters: Iterable[Adapter], model: LanguageModel, setting: Setting) -> list[str]:
    """Notes on the adapters that name another base model than the start model.

    Shapes alone do not tell a model from another version of it. A name on the hub is compared
    without its owner, a folder by its content, and an exported policy states the digest of its
    start model.
    """
    return [
        f"Adapter {source!r} {difference}. Its layers fit, but it may have been trained on other "
        "weights."
        for source, difference in _other_bases(adapters, model, setting)
    ]


def refuse_other_bases(adapters: Iterable[Adapter], model: LanguageModel, setting: Setting) -> None:
    """Raise UsageError for the first of those adapters, where what they changed matters."""
    for source, difference in _other_bases(adapters, model, setting):
        raise refusal(
            source,
            f"it {difference}; use an adapter of the start model, or correct "
            f"base_model_name_or_path or revision in its {CONFIG}",
        )


def _other_bases(
    adapters: Iterable[Adapter], model: LanguageModel, setting: Setting
) -> Iterator[tuple[str, str]]:
    """Adapters of another base model, and what shows that."""
    for each in adapters:
        base = str(each.config.get("base_model_name_or_path") or "")
        if each.about:
            start = each.about["start_model"]
            if not _is_start(start, setting):
                name = start.get("name")
                yield (
                    each.source,
                    f"was exported from a policy whose start model, {name!r}, had other files than "
                    f"the start model here, {model.name!r}",
                )
        elif base and (revision := _other_revision(each, base, model, setting.model)):
            yield (
                each.source,
                f"names revision {revision!r} of its base model {base!r}, and the start model is "
                f"revision {model.commit!r}",
            )
        elif base and not _is_base(base, model, setting.model):
            yield (
                each.source,
                f"names the base model {base!r}, and the start model is {model.name!r}",
            )


def _is_start(stated: Mapping[str, Any], setting: Setting) -> bool:
    """True if an exported policy states the start model's digest, or that of its files."""
    if stated.get("digest") == setting.model_key:
        return True
    start, files = setting.model, stated.get("files")
    if files is None or start.path is None:
        return False
    return bool(files == model_digest(start.path, revision=start.revision))


def check_bases(adapters: Iterable[Adapter], model: LanguageModel) -> None:
    """Raise UsageError if an adapter's base model, where it is a folder, has another vocabulary.

    Its layers would fit, but what it learnt about one token would act on another.
    """
    for adapter in adapters:
        base = str(adapter.config.get("base_model_name_or_path") or "")
        if base and Path(base).is_dir() and (found := _other_vocabulary(base, model)):
            raise refusal(
                adapter.source,
                f"its base model {base!r} has {found} in {model.name!r}; use an adapter that was "
                "trained on this model's tokens",
            )


def tokenizer_notes(adapter: Adapter, model: LanguageModel) -> list[str]:
    """Note on a tokenizer or a chat template in an adapter's folder, if the start model's differ.

    Training scripts save those beside the adapter with which it was trained.
    """
    folder = Path(adapter.source)
    if not any((folder / name).is_file() for name in TOKENIZER):
        return []
    own, others = model.tokenizer, []
    try:
        found = read_tokenizer(adapter.source, "tokenizer")
        template = found.chat_template
        others += [] if split_alike(found, own) else ["tokenizer"]
    except Exception:  # not a whole one, or a damaged one: readers raise arbitrary errors
        if any((folder / name).is_file() for name in VOCABULARY):
            return [
                f"The tokenizer in the folder of adapter {adapter.source!r} cannot be read; the "
                "start model's own is used."
            ]
        template = _read(folder / "chat_template.jinja")
    if template and _stripped(template) != _stripped(own.chat_template):
        others.append("chat template")
    if not others:
        return []
    return [
        f"Adapter {adapter.source!r} has another {' and '.join(others)} in its folder than the "
        "start model, whose own is used."
    ]


def _stripped(template: Any) -> Any:
    return template.strip() if isinstance(template, str) else template


def _read(file: Path) -> str:
    with suppress(OSError, ValueError):
        return file.read_text(encoding="utf-8")
    return ""


def _other_vocabulary(base: str, model: LanguageModel) -> str:
    """How the tokens of a model's folder differ from the start model's; empty if they do not."""
    try:
        found = read_tokenizer(base, "base_model_name_or_path").get_vocab()
    except Exception:  # no tokenizer, or a damaged one: readers raise arbitrary errors
        return _other_size(base, model)
    own = model.tokenizer.get_vocab()
    if len(found) != len(own):
        return f"{len(found)} tokens, not {len(own)} as"
    for token, number in found.items():
        if own.get(token) != number:
            there = f"number {own[token]}" if token in own else "no token"
            return f"{token!r} as token {number}, which is {there}"
    return ""


def _other_size(base: str, model: LanguageModel) -> str:
    """The same by the sizes that the configurations state, without the folder's tokenizer."""
    try:
        config = read_model_json(Path(base) / "config.json")
    except (OSError, ValueError):
        return ""
    text = config.get("text_config") or config
    found = text.get("vocab_size")
    own = getattr(model.network.config.get_text_config(), "vocab_size", found)
    if not isinstance(found, int) or found == own:
        return ""
    return f"a vocabulary of {found}, not {own} as"


def _other_revision(adapter: Adapter, base: str, model: LanguageModel, start: Model) -> str | None:
    """Revision of the start model that an adapter states, if it is not the one that runs here."""
    stated = adapter.config.get("revision")
    if not isinstance(stated, str) or model.hub_name != base or stated == start.revision:
        return None
    from huggingface_hub import try_to_load_from_cache

    file = try_to_load_from_cache(base, "config.json", revision=stated)
    commit = Path(file).parent.name if isinstance(file, str) else stated
    return None if commit == model.commit else stated


def _is_base(base: str, model: LanguageModel, start: Model) -> bool:
    """True if a base model is the start model, as far as its files or its name show.

    The last part of a path to a folder that is gone says too little.
    """
    if start.path is not None and Path(base).is_dir():
        with suppress(UsageError):  # no longer a whole model
            return model_digest(base) == model_digest(start.path, revision=start.revision)
    if Path(base).is_absolute():
        return False
    return Path(base).name.casefold() == Path(model.hub_name or model.name).name.casefold()
