"""Loading of a start model from a folder or the hub, with checks of its files and tokenizer."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import torch

from paretosteer.errors import UsageError, first_line
from paretosteer.text.generation_settings import check_generation_settings, stated_ends
from paretosteer.text.load_weights import load_weights, placed
from paretosteer.text.model_source import is_gguf, model_commit, model_folder, source_name
from paretosteer.text.read_tokenizer import read_tokenizer
from paretosteer.text.special_tokens import check_embedded, check_vocabulary, leave_open
from paretosteer.text.uniform_context import uniform_context


@dataclass(frozen=True)
class LanguageModel:
    """A language model with its tokenizer, loaded once and shared by every policy.

    A task may set `longest`, the most tokens of a prompt. T5, for example, states 512 tokens, but
    its relative positions allow more.
    """

    network: Any  # transformers.PreTrainedModel
    tokenizer: Any  # transformers.PreTrainedTokenizerBase
    name: str
    longest: int | None = None
    recompute: bool = False  # gradient checkpointing
    hub_name: str | None = None  # owner/name, for a model that others load from the hub by it
    commit: str | None = None  # of the hub
    own_cache: bool = False  # sample with the architecture's own cache and masks, not with ours

    @property
    def encoder_decoder(self) -> bool:
        """True if the model has an encoder for the prompt and a decoder for the response (T5)."""
        return bool(getattr(self.network.config, "is_encoder_decoder", False))

    @property
    def begin(self) -> int:
        """First token of the decoder (the padding token of T5, the end token of BART)."""
        for config in (self.network.config, self.network.generation_config):
            if (token := getattr(config, "decoder_start_token_id", None)) is not None:
                return int(token)
        raise UsageError(
            f"model.path: the configuration of {self.name!r} has no decoder_start_token_id; "
            "set it in config.json (the padding token for T5, the end token for BART)"
        )

    @property
    def ends(self) -> tuple[int, ...]:
        """Tokens that end a response: the tokenizer's, and those of the generation settings."""
        size = self.network.get_input_embeddings().weight.shape[0]
        ends = dict.fromkeys((self.tokenizer.eos_token_id, *stated_ends(self.network)))
        return tuple(int(end) for end in ends if end is not None and 0 <= int(end) < size)

    @property
    def context(self) -> int:
        """Maximum number of tokens that the model can attend to, and reads as in short texts."""
        config = self.network.config.get_text_config()
        names = ("max_position_embeddings", "max_seq_len")  # the second is MPT's
        stated = next((n for x in names if (n := getattr(config, x, None))), 2**31)
        return int(min(stated, uniform_context(config) or 2**31))

    @property
    def embeds_all(self) -> bool:
        """True if every token of the tokenizer has an embedding."""
        size: int = self.network.get_input_embeddings().weight.shape[0]
        return max(self.tokenizer.get_vocab().values(), default=0) < size

    def check_embedded(self, ids: Iterable[int]) -> None:
        """Raise UsageError, naming the token, if a token has no embedding."""
        check_embedded(ids, self.tokenizer, self.network, self.name)

    def room(self, new_tokens: int) -> int:
        """Maximum prompt length, including any prefix, that leaves room for `new_tokens`."""
        if not self.encoder_decoder:
            limit = self.context - new_tokens
        elif new_tokens > self.context:  # encoder and decoder have separate positions
            limit = 0
        elif self.context < 2**31 or self.longest is not None:
            limit = self.context
        else:
            stated = getattr(self.network.config.get_text_config(), "n_positions", 0)
            limit = int(stated or self.tokenizer.model_max_length)
        return limit if self.longest is None else min(limit, self.longest)


def load_model(
    path: str,
    device: torch.device,
    dtype: torch.dtype,
    pad_token: str | None = None,
    revision: str | None = None,
) -> LanguageModel:
    """Load a Hugging Face language model and tokenizer from a local folder or a hub name.

    Causal models and encoder-decoder models (T5, BART) are supported.

    Raises
    ------
    UsageError
        If the folder is missing or holds no language model in safetensors, if weights are missing
        or left over, or if the tokenizer has no padding token and `pad_token` is None.

    """
    from transformers import AutoConfig, AutoModelForCausalLM, AutoModelForSeq2SeqLM

    folder = model_folder(path, revision=revision)
    try:
        config = AutoConfig.from_pretrained(folder, trust_remote_code=False)
        kind = AutoModelForSeq2SeqLM if config.is_encoder_decoder else AutoModelForCausalLM
        side = "right" if config.is_encoder_decoder else "left"
        tokenizer = read_tokenizer(folder, "model.path", padding_side=side)
        network = load_weights(kind, folder, "model.path", dtype=dtype)
    except UsageError:
        raise
    except Exception as error:  # parsers of damaged or mismatched files raise arbitrary errors
        reason = first_line(error)
        raise UsageError(
            f"model.path: {path!r} cannot be loaded as a language model ({reason}); "
            "use a folder with config.json, model.safetensors and a tokenizer, or a hub name"
        ) from None
    set_padding(tokenizer, path, pad_token)
    if not config.is_encoder_decoder:
        leave_open(tokenizer, path)
    check_vocabulary(tokenizer, network, path)
    check_generation_settings(network, folder)
    network.requires_grad_(False)
    commit = model_commit(path, folder, revision)
    model = LanguageModel(
        placed(network.eval(), device),
        tokenizer,
        source_name(path),
        hub_name=path if commit and not is_gguf(path) else None,
        commit=commit,
    )
    if model.encoder_decoder:
        _ = model.begin  # raises here, before anything is trained
    return model


# A word or a single character, such as `!`, perhaps with the mark of a space before it.
_ORDINARY = re.compile(r"[▁Ġ]?(\w+|.)")


def set_padding(tokenizer: Any, path: str, pad_token: str | None, option: str = "model") -> None:
    """Set the padding token; raise UsageError if the tokenizer has none and none is given."""
    if pad_token is not None:
        token = tokenizer.eos_token if pad_token == "eos" else pad_token
        if token not in tokenizer.get_vocab():
            raise UsageError(
                f"{option}.pad_token: {pad_token!r} is not a token of {path!r}; "
                "use a special token of its vocabulary, or eos"
            )
        tokenizer.pad_token = token
    if tokenizer.pad_token_id is None:
        raise UsageError(
            f"{option}.path: the tokenizer of {path!r} has no padding token; "
            f"set {option}.pad_token=eos, or to another special token of its vocabulary"
        )
    if _ORDINARY.fullmatch(str(tokenizer.pad_token)):
        raise UsageError(
            f"{option}.pad_token: the padding token {tokenizer.pad_token!r} of {path!r} occurs in "
            "ordinary text, from which special tokens are removed; set it to eos, or to another "
            "special token of its vocabulary"
        )
