"""Estimate of the memory that one row of a batch needs while a language model answers."""

from __future__ import annotations

from typing import Any

# Bytes per entry of the vocabulary.
NOISE = 32  # in one step: the integers and float64 of the Gumbel noise and its two logarithms
SCORES = 12  # at one position: float32 logits, their scaled copy and the log-softmax


def row_bytes(network: Any, prompt: int, response: int) -> int:
    """Peak bytes for one row of `prompt` + `response` tokens.

    Counts the keys and values of all layers, the activations of one layer, and the larger of the
    sampling noise in one step and the scores of a whole response.
    """
    config, size = network.config.get_text_config(), network.dtype.itemsize
    heads = getattr(config, "num_attention_heads", 1)  # Mamba has none
    groups = getattr(config, "num_key_value_heads", None) or heads
    head = getattr(config, "head_dim", None) or config.hidden_size // heads
    inner = getattr(config, "intermediate_size", None) or 4 * config.hidden_size
    length = prompt + response
    keys_values = 2 * config.num_hidden_layers * groups * head * length * size
    layer = (6 * config.hidden_size + 3 * inner) * length * size
    outputs = config.vocab_size * max(NOISE, response * (SCORES + size))
    return keys_values + layer + outputs
