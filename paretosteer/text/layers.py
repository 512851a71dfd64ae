"""Selection of the layers of a Hugging Face language model that get banks."""

from __future__ import annotations

import re
from typing import Any

from torch import nn

from paretosteer.errors import UsageError
from paretosteer.policies.conditioning import Scope

# Linear layers without banks: their model reads the weight without calling the layer (Mamba), or
# does not call them for plain text (the global attention of LED).
UNCALLED = {"dt_proj", "query_global", "key_global", "value_global"}

# Names of the layers that compute queries, keys and values, together or apart (c_attn: GPT-2).
QKV = re.compile("(W|to_|linear_)?[qkv]|c_attn")


def linear_layers(network: Any, scope: Scope) -> list[str]:
    """Names of the linear layers (also GPT-2's Conv1D) in the scope, in the model's own order.

    `all` is every linear layer but the output head, `attention` those inside attention modules,
    `qkv` those among them that compute queries, keys and values, `head` the output head alone (a
    tied embedding is not changed with it).
    """
    head = network.get_output_embeddings()
    text = _text_modules(network)
    linear = [(n, m) for n, m in network.named_modules() if _is_linear(m) and m in text]
    linear = [(n, m) for n, m in linear if n.rpartition(".")[2] not in UNCALLED]
    if scope == "head":
        names = [name for name, layer in linear if layer is head]
    elif scope in {"attention", "qkv"}:
        attention = [name for name, layer in network.named_modules() if _is_attention(layer)]
        names = [n for n, _ in linear if any(n.startswith(f"{block}.") for block in attention)]
        if scope == "qkv":
            names = [name for name in names if QKV.match(name.rpartition(".")[2])]
    else:
        names = [name for name, layer in linear if layer is not head]
    if not names:
        kind = type(network).__name__
        raise UsageError(f"method.variant: {kind} has no linear layer in the scope {scope!r}")
    return names


def _text_modules(network: Any) -> set[nn.Module]:
    """Modules that read or write text: not the towers that read images or sounds."""
    config = network.config
    if config.is_encoder_decoder or config.get_text_config() is config:
        return set(network.modules())
    return {*network.get_decoder().modules(), network.get_output_embeddings()}


def _is_linear(layer: nn.Module) -> bool:
    name = type(layer).__name__
    # Routers of mixtures of experts return several tensors (Llama 4, Phi-3.5-MoE).
    return name == "Conv1D" or (isinstance(layer, nn.Linear) and not name.endswith("Router"))


def _is_attention(layer: nn.Module) -> bool:
    name = type(layer).__name__
    return name.endswith(("Attention", "Attention2", "SdpaAttention", "FlashAttention2"))
