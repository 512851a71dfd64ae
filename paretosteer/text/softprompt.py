"""Soft prompt vectors made from a preference by a small network ("hyper prompt tuning").

After COS-DPO (Ren et al., arXiv 2410.08316): the vectors stand before the text, so any architecture
takes them unchanged.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn

from paretosteer.policies.perceptron import linear


class SoftPrompt(nn.Module):
    """A two-layer network from features (rows, size) to virtual tokens (rows, tokens, width)."""

    def __init__(self, size: int, tokens: int, hidden: int, width: int):
        super().__init__()
        self.tokens = tokens
        self.read = linear(size, hidden)
        self.write = linear(hidden, tokens * width)

    def initialise(self, embedding: Tensor, generator: torch.Generator) -> None:
        """Begin among the real tokens' vectors (vocabulary, width): same mean, same spread.

        So the features move the virtual tokens as far as one word differs from another, and
        training can begin to read them at once.
        """
        table = embedding.float()
        for layer, scale in ((self.read, 1.0), (self.write, float(table.std()))):
            draw = torch.randn(layer.weight.shape, generator=generator, dtype=torch.float32)
            layer.weight.data.copy_(scale * draw / layer.in_features**0.5)
            layer.bias.data.zero_()
        self.write.bias.data.copy_(table.mean(dim=0).repeat(self.tokens))

    def forward(self, features: Tensor) -> Tensor:
        """Virtual tokens, (rows, tokens, width)."""
        vectors: Tensor = self.write(torch.tanh(self.read(features)))
        return vectors.view(len(features), self.tokens, -1)


def with_vectors(network: Any, virtual: Tensor | None, ids: Tensor) -> dict[str, Tensor]:
    """What a model reads: token ids (rows, P), or virtual tokens (rows, V, width) before them."""
    if virtual is None:
        return {"input_ids": ids}
    text = network.get_input_embeddings()(ids)
    return {"inputs_embeds": torch.cat([virtual.to(text.dtype), text], dim=1)}
