"""Loading of a tokenizer: the one that the folder holds, with its vocabulary."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from paretosteer.errors import UsageError
from paretosteer.storage.safetensors_only import read_model_json
from paretosteer.text.loading_warnings import warnings_collected

_FILE = "tokenizer.json"
_TEMPLATE = "chat_template.jinja"
_PROCESSOR_TEMPLATE = "chat_template.json"
# Texts on which pipelines differ: capitals, accents, digits, spaces, line breaks, quotes, scripts.
_PROBES = (
    "Once upon a time, there was a 7-year-old girl.",
    "Zoë said:\r\n\n  “It's 1,024 km!”",
    "a  b\tc",
    " don't SHOUT ",
    "日本語 ｆｕｌｌ … 🙂",
)
_VOCABULARY = 2000  # tokens of it that make a further probe


def read_tokenizer(
    folder: str, option: str, trusted: bool = False, padding_side: str = "right"
) -> Any:
    """Load the tokenizer of a model folder.

    transformers builds some tokenizers from the vocabulary alone, with the steps of the class that
    `tokenizer_config.json` names, whatever `tokenizer.json` says: `LlamaTokenizer` never puts
    a space after a special token. Where they differ, `tokenizer.json` is read as it stands.
    Without a vocabulary, transformers builds a tokenizer with none, which is an error here.

    Parameters
    ----------
    folder
        Folder of a model.
    option
        Name of the option that holds it, for errors.
    trusted
        Whether code of the model's own may run; its tokens are then its own affair.
    padding_side
        Side on which prompts are padded, also by an export.

    Raises
    ------
    UsageError
        If it has no vocabulary or an empty chat template, has tokens that `tokenizer.json` lacks,
        or draws its tokens at random.
        Damaged files raise arbitrary errors of their readers.

    """
    from transformers import AutoTokenizer

    with warnings_collected(folder, "tokenizer"):
        tokenizer = AutoTokenizer.from_pretrained(
            folder, trust_remote_code=trusted, padding_side=padding_side
        )
    if not trusted and getattr(tokenizer, "is_fast", False):
        tokenizer = _as_stored(tokenizer, Path(folder), option)
    if set(tokenizer.get_vocab().values()) <= set(tokenizer.all_special_ids):
        raise UsageError(
            f"{option}: the tokenizer in {folder!r} has special tokens only; copy its vocabulary "
            f"({_FILE}, or vocab.json and merges.txt) into the folder"
        )
    own = Path(folder) / _TEMPLATE
    if own.is_file() and not own.read_text(encoding="utf-8").strip():
        raise UsageError(f"{option}: {str(own)!r} is empty; copy it again, or remove it")
    if not tokenizer.chat_template:
        tokenizer.chat_template = _processor_template(Path(folder) / _PROCESSOR_TEMPLATE, option)
    return tokenizer


def split_alike(one: Any, other: Any) -> bool:
    """True if two tokenizers split texts into the same tokens, special tokens aside."""
    texts = [*_PROBES, *map(_words, (one, other))]
    return all(
        one(text, add_special_tokens=False)["input_ids"]
        == other(text, add_special_tokens=False)["input_ids"]
        for text in texts
    )


def read_alike(one: Any, other: Any) -> bool:
    """True if two tokenizers read and write texts alike, their special tokens included."""
    ids = _sample(one)
    special = "b".join(one.all_special_tokens)
    texts = [*_PROBES, one.decode(ids), f"a{special}c"]
    tokens = [one(text)["input_ids"] for text in texts]
    return (
        tokens == [other(text)["input_ids"] for text in texts]
        and one.all_special_ids == other.all_special_ids
        and one.pad_token_id == other.pad_token_id
        and one.chat_template == other.chat_template
        and all(
            one.decode(part, skip_special_tokens=skip)
            == other.decode(part, skip_special_tokens=skip)
            for part in (ids, *tokens)
            for skip in (False, True)
        )
    )


def _words(tokenizer: Any) -> str:
    """Text of tokens from all over a vocabulary, without special and added ones."""
    added = {*tokenizer.all_special_ids, *tokenizer.added_tokens_decoder}
    return str(tokenizer.decode([each for each in _sample(tokenizer) if each not in added]))


def _sample(tokenizer: Any) -> list[int]:
    """Tokens from all over a vocabulary."""
    ids = sorted(tokenizer.get_vocab().values())
    return ids[:: len(ids) // _VOCABULARY + 1]


def _processor_template(file: Path, option: str) -> str | None:
    """Chat template of older multimodal models, which only their processor would read."""
    if not file.is_file():
        return None
    try:
        template = read_model_json(file)["chat_template"]
    except (OSError, ValueError, KeyError, TypeError):
        template = None
    if not isinstance(template, str):
        raise UsageError(
            f"{option}: {str(file)!r} has no chat_template; copy it again, or remove it"
        )
    return template


def _as_stored(tokenizer: Any, folder: Path, option: str) -> Any:
    """The tokenizer, or where its tokens are not those of `tokenizer.json`, one that gives them."""
    from tokenizers import Tokenizer
    from transformers import PreTrainedTokenizerFast

    if dropout := getattr(tokenizer.backend_tokenizer.model, "dropout", None):
        raise UsageError(
            f"{option}: the tokenizer in {str(folder)!r} draws its merges at random (dropout "
            f"{dropout:.3g}); set dropout to null in {_FILE}"
        )
    if not (folder / _FILE).is_file():
        return tokenizer
    stored = Tokenizer.from_file(str(folder / _FILE))
    stored.no_truncation()
    stored.no_padding()
    if _alike(tokenizer, stored):
        return tokenizer
    plain = PreTrainedTokenizerFast.from_pretrained(
        folder, trust_remote_code=False, padding_side=tokenizer.padding_side
    )
    if not _alike(plain, stored):
        raise UsageError(
            f"{option}: the tokenizer in {str(folder)!r} gives other tokens than its {_FILE}; "
            "remove the tokens from its other files that this lacks, or if they are meant, save it "
            "again with AutoTokenizer.from_pretrained(…).save_pretrained(…)"
        )
    return plain


def _alike(tokenizer: Any, stored: Any) -> bool:
    """True if a tokenizer encodes and decodes the probes as the one in `tokenizer.json` does."""
    stored.encode_special_tokens = tokenizer.split_special_tokens
    size = stored.get_vocab_size()
    ids = list(range(0, size, size // _VOCABULARY + 1))
    added = [token.content for token in stored.get_added_tokens_decoder().values()]
    texts = [
        *_PROBES,
        stored.decode(ids, skip_special_tokens=False),
        f"a{'b'.join(added)}c",
        f" a {' b '.join(added)} c ",
    ]
    encoded = [stored.encode(text, add_special_tokens=False).ids for text in texts]
    return encoded == tokenizer(texts, add_special_tokens=False)["input_ids"] and all(
        stored.decode(tokens, skip_special_tokens=False)
        == tokenizer.decode(tokens, clean_up_tokenization_spaces=False)
        for tokens in (ids, *encoded)
    )
