"""How much memory a row of a batch takes while a language model answers, estimated."""

from __future__ import annotations

from typing import Any

NOISE = 32  # bytes per token of the vocabulary and step: integers, float64 and its logarithms
SCORES = 12  # bytes per token of the vocabulary and place: float32 logits, scaled, normalised


def row_bytes(network: Any, prompt: int, response: int) -> int:
    """Bytes for one row of `prompt` + `response` tokens: the most that is held at any one time.

    Keys and values of all layers, one layer's activations, and beside them the larger of two: noise
    over the vocabulary at one step, or the scores of a whole response.
    """
    config, size = network.config, network.dtype.itemsize
    heads = config.num_attention_heads
    groups = getattr(config, "num_key_value_heads", None) or heads
    head = getattr(config, "head_dim", None) or config.hidden_size // heads
    inner = getattr(config, "intermediate_size", None) or 4 * config.hidden_size
    length = prompt + response
    keys_values = 2 * config.num_hidden_layers * groups * head * length * size
    layer = (6 * config.hidden_size + 3 * inner) * length * size
    outputs = config.vocab_size * max(NOISE, response * (SCORES + size))
    return keys_values + layer + outputs
