"""What a GGUF file holds beside what transformers reads of it.

transformers leaves out tensors and settings that it has no place for, such as the frequencies of
Llama 3.1's long contexts, and splits words as GPT-2 does where it does not know the file's own way.
"""

from __future__ import annotations

from typing import Any

import numpy as np

# Settings of an architecture that change nothing that a network computes.
_DESCRIBE = {"vocab_size", "leading_dense_block_count", "expert_feed_forward_length"}
_HEAD_SIZES = ("attention.key_length", "attention.value_length", "rope.dimension_count")
_MEAN_TRUE = {"attention.causal"}  # change nothing as long as they are true
_TOKENIZER = "tokenizer.ggml."
# What transformers reads of a tokenizer, and what changes no text here; numbers of tokens aside.
_TOKENIZER_READ = {
    *("model", "pre", "tokens", "scores", "token_type", "merges", "precompiled_charsmap"),
    *("add_bos_token", "add_eos_token", "add_sep_token", "token_type_count"),
}
_UNSCALED = {None, "default"}
# Names by which llama.cpp knows ways of splitting words, where they are GPT-2's.
_AS_GPT2 = {None, "default", "gpt-2", "phi-2", "mpt", "olmo", "jais"}
# The same, with every digit apart.
_DIGITS_APART = {"smollm", "starcoder", "refact", "command-r", "codeshell", "exaone", "minerva-7b"}


def check_read(reader: Any, network: Any) -> None:
    """Raise ValueError if a file has weights or settings that the network does not use.

    `reader` is the GGUFReader of the package gguf.
    """
    own = sum(parameter.numel() for parameter in network.parameters())
    tensors = {tensor.name: tensor for tensor in reader.tensors}
    further = f"blk.{network.config.num_hidden_layers}."  # predicts further tokens, in training
    unused = {
        name for name in tensors if name.startswith(further) or _changes_nothing(name, tensors)
    }
    held = sum(int(t.n_elements) for name, t in tensors.items() if name not in unused)
    if held > own:
        named = sorted(set(tensors) - unused - _read_names(network))[:3]
        which = f", such as {', '.join(named)}" if named else ""
        raise ValueError(f"{held - own:,} of its weights would not be used{which}")
    if settings := _unread_settings(reader, network.config):
        raise ValueError(f"its settings {', '.join(settings)} would not be used")


def check_tokenizer(reader: Any, tokenizer: Any) -> None:
    """Raise ValueError if a file states what its tokenizer does not do in transformers."""
    spaced, doubled = tokenizer(["a b", "a  b"], add_special_tokens=False)["input_ids"]
    done = {
        "add_space_prefix": _adds_space(tokenizer.backend_tokenizer),
        "remove_extra_whitespaces": spaced == doubled,
        "escape_whitespaces": True,
    }
    charsmap = f"{_TOKENIZER}precompiled_charsmap"
    if charsmap in reader.fields and tokenizer.backend_tokenizer.normalizer is None:
        raise ValueError(f"its setting {charsmap}, which normalises texts, would not be used")
    for key in reader.fields:
        name = key.removeprefix(_TOKENIZER)
        if name == key or name in _TOKENIZER_READ or name.endswith(("_id", "_ids")):
            continue
        value = _value(reader, key)
        if value != done[name] if name in done else value:
            raise ValueError(f"its setting {key}={value} would not be used")


def stated_ends(reader: Any) -> list[int]:
    """Tokens with which a file ends a text, a turn or a message."""
    found = [_value(reader, f"{_TOKENIZER}{name}_token_id") for name in ("eos", "eot", "eom")]
    return list(dict.fromkeys(token for token in found if token is not None))


def split_as_stated(reader: Any, tokenizer: Any) -> None:
    """Make a tokenizer split words as its file says.

    Raises
    ------
    ValueError
        If it is not known how.

    """
    from tokenizers import pre_tokenizers

    stated = _value(reader, "tokenizer.ggml.pre")
    if _value(reader, "tokenizer.ggml.model") != "gpt2":
        return
    backend = tokenizer.backend_tokenizer
    if not isinstance(backend.pre_tokenizer, pre_tokenizers.ByteLevel):
        return  # transformers has set a way of its own
    if stated in _DIGITS_APART:
        digits = pre_tokenizers.Digits(individual_digits=True)
        backend.pre_tokenizer = pre_tokenizers.Sequence([digits, backend.pre_tokenizer])
    elif stated not in _AS_GPT2:
        raise ValueError(f"its words are split in a way that is not known, {stated!r}")


def _adds_space(backend: Any) -> bool:
    """True if a text gets a space before its first word."""
    text = backend.normalizer.normalize_str("a") if backend.normalizer else "a"
    pieces = backend.pre_tokenizer.pre_tokenize_str(text) if backend.pre_tokenizer else [(text, ())]
    return pieces[0][0] != "a"


def _changes_nothing(name: str, tensors: dict[str, Any]) -> bool:
    """True for factors that are all 1, and for an output head that is the embedding again."""
    if name == "rope_freqs.weight":
        return bool((np.asarray(tensors[name].data) == 1).all())
    if name != "output.weight" or "token_embd.weight" not in tensors:
        return False
    one, two = (tensors[each].data for each in (name, "token_embd.weight"))
    return one.shape == two.shape and bool((one == two).all())


def _read_names(network: Any) -> set[str]:
    """Names of the tensors that transformers reads, as far as the package gguf knows them."""
    from gguf import MODEL_ARCH_NAMES, get_tensor_name_map

    kind = network.config.model_type
    arch = next((key for key, value in MODEL_ARCH_NAMES.items() if value == kind), None)
    if arch is None:
        return set()
    names = get_tensor_name_map(arch, network.config.num_hidden_layers)
    read = set()
    for full, _ in network.named_parameters():
        name, _, end = full.rpartition(".")
        read.add(f"{names.get_name(name)}.{end}")
    return read


def _unread_settings(reader: Any, config: Any) -> list[str]:
    """Settings `key=value` of the file's architecture without a place in transformers."""
    from transformers.modeling_gguf_pytorch_utils import GGUF_TO_TRANSFORMERS_MAPPING

    kind = _value(reader, "general.architecture")
    known = GGUF_TO_TRANSFORMERS_MAPPING["config"]
    read = {*known.get(kind, ()), *known.get(config.model_type, ())}
    if not read:  # transformers has a reader of its own for these
        return []
    scaled = (getattr(config, "rope_parameters", None) or {}).get("rope_type") not in _UNSCALED
    size = getattr(config, "head_dim", None) or config.hidden_size // config.num_attention_heads
    left = []
    for key in reader.fields:
        name = key.removeprefix(f"{kind}.")
        if name == key or name in read or name in _DESCRIBE:
            continue
        value = _value(reader, key)
        harmless = name in _HEAD_SIZES and value == size
        harmless |= scaled and name.startswith("rope.scaling.")
        nothing = (True,) if name in _MEAN_TRUE else (0, False, "none", "", None)
        if not harmless and value not in nothing:
            left.append(f"{name}={value}")
    return left


def _value(reader: Any, key: str) -> Any:
    from gguf import GGUFValueType

    if (field := reader.fields.get(key)) is None:
        return None
    parts = [field.parts[index] for index in field.data]
    if field.types[-1] == GGUFValueType.STRING:
        values = [bytes(part).decode("utf-8", "replace") for part in parts]
    else:
        values = [part.tolist()[0] for part in parts]
    return values if field.types[0] == GGUFValueType.ARRAY else values[0]
