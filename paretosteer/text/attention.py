"""CPU attention for single-token queries, where generation spends half its time.

PyTorch's fused kernel is optimised for long queries; for a single query token, two small matrix
products are faster. Long queries (prompts, training) still use the fused kernel. The function is
registered through the documented interface of `transformers`. On a GPU nothing changes.
"""

from __future__ import annotations

from typing import Any

from torch import Tensor
from transformers import AttentionInterface, AttentionMaskInterface
from transformers.integrations.sdpa_attention import sdpa_attention_forward
from transformers.masking_utils import sdpa_mask

NAME = "paretosteer_single_query"


def single_query(
    module: Any,
    query: Tensor,
    key: Tensor,
    value: Tensor,
    attention_mask: Tensor | None,
    scaling: float | None = None,
    position_bias: Tensor | None = None,
    **others: Any,
) -> tuple[Tensor, Tensor | None]:
    """Attention output (rows, T, heads, d) and no weights, in the signature of `transformers`.

    `query` is (rows, heads, T, d), `key` and `value` are (rows, groups, L, d): with grouped-query
    attention several heads share one group, and values may have a width of their own.
    `position_bias` (1, heads, T, L) is T5's relative position bias.
    """
    rows, heads, length, width = query.shape
    if length > 1 or attention_mask is None or not attention_mask.is_floating_point():
        if position_bias is not None:
            others["position_bias"] = position_bias
        out: tuple[Tensor, Tensor | None] = sdpa_attention_forward(
            module, query, key, value, attention_mask, scaling=scaling, **others
        )
        return out
    groups = key.shape[1]
    # Fold the heads of a group into the query dimension instead of repeating keys and values.
    grouped = query.reshape(rows, groups, -1, width) * (scaling or width**-0.5)
    added = attention_mask  # (rows, 1, 1, L)
    if position_bias is not None:
        added = added + position_bias.reshape(1, groups, -1, key.shape[2])
    weights = (grouped @ key.mT + added).softmax(dim=-1)  # (rows, groups, per group, L)
    return (weights @ value).reshape(rows, 1, heads, value.shape[-1]), None


def adds_masks(network: Any) -> bool:
    """True if the model's attention accepts additive float masks."""
    return network.config._attn_implementation in {"eager", "sdpa", NAME}


def use_single_query(network: Any) -> None:
    """Replace the fused kernel by `single_query` for a model on the CPU."""
    if network.config._attn_implementation == "sdpa" and network.device.type == "cpu":
        network.set_attn_implementation(NAME)


AttentionInterface.register(NAME, single_query)
AttentionMaskInterface.register(NAME, sdpa_mask)
