"""A start model from a folder or a hub, and the checks without which its samples mean nothing."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from hashlib import sha256
from pathlib import Path
from typing import Any

import torch

from paretosteer.errors import UsageError, first_line
from paretosteer.storage.digest import seen
from paretosteer.storage.weights import check_weights, read_model_json


@dataclass(frozen=True)
class LanguageModel:
    """A language model with its tokenizer, loaded once and shared by every policy.

    `longest` is the most tokens of a prompt that a task asks for, where it is not left to the
    model: T5 states 512 tokens, but its positions are relative and it can read more.
    """

    network: Any  # transformers.PreTrainedModel
    tokenizer: Any  # transformers.PreTrainedTokenizerBase
    name: str
    longest: int | None = None
    recompute: bool = False  # activations for gradients, instead of keeping them

    @property
    def encoder_decoder(self) -> bool:
        """Whether prompts go through an encoder, and responses are a text of their own (T5)."""
        return bool(getattr(self.network.config, "is_encoder_decoder", False))

    @property
    def begin(self) -> int:
        """The token with which a decoder begins (T5: its padding token, BART: its end token)."""
        for config in (self.network.config, self.network.generation_config):
            if (token := getattr(config, "decoder_start_token_id", None)) is not None:
                return int(token)
        raise UsageError(
            f"model.path: the configuration of {self.name!r} has no decoder_start_token_id; "
            "name it in config.json (the padding token for T5, the end token for BART)"
        )

    @property
    def context(self) -> int:
        """Most tokens that the model can attend to."""
        return int(getattr(self.network.config, "max_position_embeddings", 0) or 2**31)

    def room(self, new_tokens: int) -> int:
        """Most tokens of a prompt, with all that stands before it, that `new_tokens` may follow."""
        if not self.encoder_decoder:
            limit = self.context - new_tokens
        elif new_tokens > self.context:  # of the decoder, which counts its own positions
            limit = 0
        elif self.context < 2**31 or self.longest is not None:
            limit = self.context
        else:
            stated = getattr(self.network.config, "n_positions", 0)
            limit = int(stated or self.tokenizer.model_max_length)
        return limit if self.longest is None else min(limit, self.longest)


def load_model(
    path: str, device: torch.device, dtype: torch.dtype, pad_token: str | None = None
) -> LanguageModel:
    """Load a Hugging Face language model and tokenizer from a local folder or a hub name.

    Causal models and encoder-decoder models (T5, BART) alike, as the configuration says.

    Raises
    ------
    UsageError
        If the folder is missing or holds no such model in safetensors, or if the tokenizer has no
        padding token and none is named.

    """
    from transformers import AutoConfig, AutoModelForCausalLM, AutoModelForSeq2SeqLM, AutoTokenizer

    check_source(path)
    try:
        config = AutoConfig.from_pretrained(path, trust_remote_code=False)
        kind = AutoModelForSeq2SeqLM if config.is_encoder_decoder else AutoModelForCausalLM
        tokenizer = AutoTokenizer.from_pretrained(path, trust_remote_code=False)
        network = kind.from_pretrained(
            path, dtype=dtype, use_safetensors=True, trust_remote_code=False
        )
    except Exception as error:  # damaged or mismatched files raise whatever reads them raises
        reason = first_line(error)
        raise UsageError(
            f"model.path: {path!r} is not a language model that can be loaded ({reason}); "
            "give a folder with config.json, model.safetensors and a tokenizer, or a hub name"
        ) from None
    set_padding(tokenizer, path, pad_token)
    tokenizer.padding_side = "right" if config.is_encoder_decoder else "left"
    network.requires_grad_(False)
    model = LanguageModel(network.eval().to(device), tokenizer, Path(path).name)
    if model.encoder_decoder:
        _ = model.begin  # said here, before anything is trained
    return model


def model_digest(path: str, option: str = "model.path") -> str:
    """Digest of a local folder's configuration, tokenizer and weights, or of a hub name.

    `option` is the key that the path was given under, for errors.

    Raises
    ------
    UsageError
        If there is no such folder, or no model in it.

    """
    check_source(path, option)
    folder = Path(path)
    if not folder.is_dir():
        return sha256(path.encode()).hexdigest()
    kinds = {".json", ".safetensors", ".txt", ".model"}
    files = [file for file in sorted(folder.iterdir()) if file.suffix in kinds]
    return _digest_of(tuple((file, *seen(file)) for file in files))


# A sweep asks per cell, and reading the weights of a large model takes seconds.
@lru_cache(maxsize=64)
def _digest_of(files: tuple[tuple[Path, int, int], ...]) -> str:
    """Digest of files together; their sizes and times only tell whether it is still known."""
    whole = sha256()
    for file, _, _ in files:
        whole.update(file.name.encode())
        with file.open("rb") as stream:
            for block in iter(lambda: stream.read(1 << 20), b""):
                whole.update(block)
    return whole.hexdigest()


def check_source(path: str, option: str = "model.path") -> None:
    """Say what is wrong with a folder before transformers takes it for a hub name."""
    folder = Path(path)
    if folder.is_dir():
        if not (folder / "config.json").is_file():
            raise UsageError(
                f"{option}: the folder {path!r} has no config.json; "
                "give a Hugging Face model folder"
            )
        check_weights(folder, option)
        _check_architecture(folder, option)
    elif path.startswith((".", "/", "~")) or path.count("/") > 1:
        raise UsageError(f"{option}: there is no folder {path!r}; give a folder or a hub name")


def _check_architecture(folder: Path, option: str) -> None:
    try:
        config = read_model_json(folder / "config.json")
        known = isinstance(config.get("model_type"), str)
    except (OSError, ValueError, AttributeError):
        known = False
    if not known:
        raise UsageError(
            f"{option}: config.json in {str(folder)!r} names no model_type; "
            "give a folder that save_pretrained(…) wrote"
        )


def set_padding(tokenizer: Any, path: str, pad_token: str | None, option: str = "model") -> None:
    """Name the padding token; UsageError with the setting `<option>.pad_token` if there is none."""
    if pad_token is not None:
        token = tokenizer.eos_token if pad_token == "eos" else pad_token
        if token is None or tokenizer.convert_tokens_to_ids(token) in {
            None,
            tokenizer.unk_token_id,
        }:
            raise UsageError(f"{option}.pad_token: {pad_token!r} is not a token of {path!r}")
        tokenizer.pad_token = token
    if tokenizer.pad_token_id is None:
        raise UsageError(
            f"{option}.path: the tokenizer of {path!r} has no padding token; "
            f"say {option}.pad_token=eos, or name any token of its vocabulary"
        )
