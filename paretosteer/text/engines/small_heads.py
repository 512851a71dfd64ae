"""Attention heads that are narrower than those of vLLM's CPU kernels, padded with zeros.

Zeros at the end of queries and keys add nothing to their products, and zeros at the end of values
give outputs that are cut off again. The scale stays that of the model.
"""

from __future__ import annotations

from typing import Any

from torch import Tensor
from torch.nn import functional


def pad_small_heads() -> None:
    """Change vLLM's attention layers in this process, before a model is loaded."""
    from vllm.model_executor.layers.attention import Attention
    from vllm.v1.attention.backends.cpu_attn import CPUAttentionBackend

    sizes = CPUAttentionBackend.get_supported_head_sizes()
    make, attend = Attention.__init__, Attention.forward

    def __init__(self: Any, num_heads: int, head_size: int, *args: Any, **settings: Any) -> None:
        wide = min((size for size in sizes if size >= head_size), default=head_size)
        make(self, num_heads, wide, *args, **settings)
        self.narrow_size = head_size

    def forward(self: Any, query: Tensor, key: Tensor, value: Tensor, *args: Any) -> Tensor:
        narrow, wide = self.narrow_size, self.head_size
        if narrow == wide:
            return attend(self, query, key, value, *args)
        padded = [
            functional.pad(x.reshape(len(x), -1, narrow), (0, wide - narrow)).flatten(1)
            for x in (query, key, value)
        ]
        out = attend(self, *padded, *args)  # (tokens, heads * wide)
        return out.view(len(out), -1, wide)[..., :narrow].flatten(1)

    Attention.__init__, Attention.forward = __init__, forward
