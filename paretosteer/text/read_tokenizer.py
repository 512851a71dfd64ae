"""Loading of a tokenizer: the one that the folder holds, with its vocabulary."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from paretosteer.errors import UsageError
from paretosteer.storage.safetensors_only import read_model_json

_FILE = "tokenizer.json"
_TEMPLATE = "chat_template.jinja"
_PROCESSOR_TEMPLATE = "chat_template.json"
# Texts on which pipelines differ: capitals, accents, digits, runs of spaces, line breaks, quotes.
_PROBES = (
    "Once upon a time, there was a 7-year-old girl.",
    "Zoë said:\n\n  “It's 1,024 km!”",
    "a  b\tc",
)


def read_tokenizer(folder: str, option: str, trusted: bool = False) -> Any:
    """Load the tokenizer of a model folder.

    transformers builds some tokenizers from the vocabulary alone, with the steps of the class that
    `tokenizer_config.json` names, whatever `tokenizer.json` says. Without a vocabulary, they are
    built with none. Both give other tokens than the model was trained on, and are errors here.

    Parameters
    ----------
    folder
        Folder of a model.
    option
        Name of the option that holds it, for errors.
    trusted
        Whether code of the model's own may run; its tokens are then its own affair.

    Raises
    ------
    UsageError
        If it has no vocabulary or an empty chat template, gives a text other tokens than in
        `tokenizer.json`, or draws its tokens at random.
        Damaged files raise arbitrary errors of their readers.

    """
    from transformers import AutoTokenizer

    tokenizer = AutoTokenizer.from_pretrained(folder, trust_remote_code=trusted)
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
    if not trusted and getattr(tokenizer, "is_fast", False):
        _check_pipeline(tokenizer, Path(folder), option)
    return tokenizer


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


def _check_pipeline(tokenizer: Any, folder: Path, option: str) -> None:
    if dropout := getattr(tokenizer.backend_tokenizer.model, "dropout", None):
        raise UsageError(
            f"{option}: the tokenizer in {str(folder)!r} draws its merges at random (dropout "
            f"{dropout:.3g}); set dropout to null in {_FILE}"
        )
    if not (folder / _FILE).is_file():
        return
    from tokenizers import Tokenizer

    stored = Tokenizer.from_file(str(folder / _FILE))
    stored.no_truncation()
    stored.no_padding()
    for text in _PROBES:
        built = tokenizer(text, add_special_tokens=False)["input_ids"]
        if built != stored.encode(text, add_special_tokens=False).ids:
            raise UsageError(
                f"{option}: transformers builds a {type(tokenizer).__name__} from {str(folder)!r} "
                f"that gives other tokens than {_FILE}; {_remedy(tokenizer)}"
            )


def _remedy(tokenizer: Any) -> str:
    from transformers import PreTrainedTokenizerFast

    if type(tokenizer) is PreTrainedTokenizerFast:  # which has no steps of its own
        return (
            f"remove the tokens from its other files that {_FILE} lacks, or if they are meant, "
            "save it again with AutoTokenizer.from_pretrained(…).save_pretrained(…)"
        )
    return "set tokenizer_class to PreTrainedTokenizerFast in tokenizer_config.json"
