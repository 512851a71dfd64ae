"""Loading of a guide: a second language model that the start model's tokens are read and scored by.

Both models get the same token ids, encoded by the start model's tokenizer, and their next-token
distributions are mixed. So the same id must be the same token in both.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import torch

from paretosteer.errors import UsageError, first_line
from paretosteer.text.load_check import checked
from paretosteer.text.load_weights import load_weights, placed
from paretosteer.text.model import LanguageModel
from paretosteer.text.model_source import model_folder, source_name
from paretosteer.text.read_tokenizer import read_tokenizer
from paretosteer.text.samples import Prompt
from paretosteer.text.truncate import too_long

OPTION = "method.reward_model"


def load_guide(path: str, start: LanguageModel, dtype: torch.dtype) -> LanguageModel:
    """Load a causal language model from a folder or a hub name, with the start model's tokenizer.

    Raises
    ------
    UsageError
        If it cannot be loaded, fails a check of start models, or has other tokens than the start
        model; or if one of the two has an encoder.

    """
    from transformers import AutoConfig, AutoModelForCausalLM

    folder = model_folder(path, OPTION)
    try:
        encoder = AutoConfig.from_pretrained(folder, trust_remote_code=False).is_encoder_decoder
        _check_causal(path, encoder, start)
        tokenizer = read_tokenizer(folder, OPTION)
        network = load_weights(AutoModelForCausalLM, folder, OPTION, dtype=dtype)
    except UsageError:
        raise
    except Exception as error:  # parsers of damaged or mismatched files raise arbitrary errors
        raise UsageError(
            f"{OPTION}: {path!r} cannot be loaded as a causal language model "
            f"({first_line(error)}); use a folder with config.json, model.safetensors and a "
            "tokenizer, or a hub name"
        ) from None
    check_same_tokens(path, tokenizer, network, start)
    network = placed(network.requires_grad_(False).eval(), start.network.device)
    guide = LanguageModel(network, start.tokenizer, source_name(path), recompute=start.recompute)
    return checked(guide, OPTION)


def check_same_tokens(path: str, tokenizer: Any, network: Any, start: LanguageModel) -> None:
    """Raise UsageError, naming the first difference, unless every id is the start model's token.

    Tokens without an embedding do not count: neither model can read or write them.
    """
    size, wanted = _embeddings(network), _embeddings(start.network)
    own, theirs = _tokens(tokenizer), _tokens(start.tokenizer)
    for token in range(min(size, wanted)):
        if own.get(token) != theirs.get(token):
            raise UsageError(
                f"{OPTION}: token {token} is {own.get(token)!r} in {path!r}, but "
                f"{theirs.get(token)!r} in the start model {start.name!r}; use a model with the "
                "start model's vocabulary"
            )
    if size != wanted:
        raise UsageError(
            f"{OPTION}: {path!r} has embeddings for {size} tokens, but the start model "
            f"{start.name!r} for {wanted}; use a model with the start model's vocabulary, or save "
            f"this one after resize_token_embeddings({wanted})"
        )


def check_room(guide: LanguageModel, prompts: Iterable[Prompt], new_tokens: int) -> None:
    """Raise UsageError if a prompt and its response do not fit the guide's context."""
    tokenizer, room = guide.tokenizer, guide.room(new_tokens)
    for prompt in prompts:
        if count := too_long(tokenizer, prompt.text, room):
            raise UsageError(
                f"{OPTION}: prompt {prompt.id!r} has {count} tokens, but in the context of "
                f"{guide.name!r} {new_tokens} new tokens leave room for only {max(room, 0)}; "
                "lower benchmark.max_new_tokens, shorten the prompt, or use another model"
            )


def _check_causal(path: str, encoder: bool, start: LanguageModel) -> None:
    named = path if encoder else start.name
    if encoder or start.encoder_decoder:
        raise UsageError(
            f"{OPTION}: needs two causal models, but {named!r} is an encoder-decoder model; "
            + ("use another model" if encoder else "leave it null")
        )


def _embeddings(network: Any) -> int:
    return int(network.get_input_embeddings().weight.shape[0])


def _tokens(tokenizer: Any) -> dict[int, str]:
    return {token: text for text, token in tokenizer.get_vocab().items()}
