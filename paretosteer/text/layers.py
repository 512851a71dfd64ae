"""Selection of the layers of a Hugging Face language model that get banks."""

from __future__ import annotations

from typing import Any

from torch import nn

from paretosteer.errors import UsageError
from paretosteer.policies.conditioning import Scope


def linear_layers(network: Any, scope: Scope) -> list[str]:
    """Names of the linear layers (also GPT-2's Conv1D) in the scope, in the model's own order.

    `all` is every linear layer but the output head, `attention` those inside attention modules,
    `head` the output head alone (a tied embedding is not changed with it).
    """
    head = network.get_output_embeddings()
    linear = [(name, layer) for name, layer in network.named_modules() if _is_linear(layer)]
    if scope == "head":
        names = [name for name, layer in linear if layer is head]
    elif scope == "attention":
        attention = [name for name, layer in network.named_modules() if _is_attention(layer)]
        names = [n for n, _ in linear if any(n.startswith(f"{block}.") for block in attention)]
    else:
        names = [name for name, layer in linear if layer is not head]
    if not names:
        kind = type(network).__name__
        raise UsageError(f"method.variant: {kind} has no linear layer in the scope {scope!r}")
    return names


def _is_linear(layer: nn.Module) -> bool:
    return isinstance(layer, nn.Linear) or type(layer).__name__ == "Conv1D"


def _is_attention(layer: nn.Module) -> bool:
    name = type(layer).__name__
    return name.endswith(("Attention", "Attention2", "SdpaAttention", "FlashAttention2"))
