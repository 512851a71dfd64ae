"""Small networks that read a feature vector: one for each kind of model."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn
from torch.nn.utils import skip_init


def linear(inputs: int, outputs: int) -> nn.Linear:
    """Uninitialised linear layer; torch would draw from its global generator."""
    layer: nn.Linear = skip_init(nn.Linear, inputs, outputs)  # type: ignore[no-untyped-call]
    return layer


class SoftPrompt(nn.Module):
    """Features (rows, size) to virtual tokens (rows, tokens, width), with one hidden layer.

    Virtual tokens start among the vectors of the real tokens (vocabulary, width), with the same
    mean and spread: features then move them as far as one word differs from another, and training
    can read them at once.
    """

    def __init__(
        self, size: int, tokens: int, hidden: int, embedding: Tensor, generator: torch.Generator
    ):
        super().__init__()
        self.tokens = tokens
        self.read = linear(size, hidden)
        self.write = linear(hidden, tokens * embedding.shape[1])
        table = embedding.float()
        for layer, scale in ((self.read, 1.0), (self.write, float(table.std()))):
            draw = torch.randn(layer.weight.shape, generator=generator, dtype=torch.float32)
            layer.weight.data.copy_(scale * draw / layer.in_features**0.5)
            layer.bias.data.zero_()
        self.write.bias.data.copy_(table.mean(dim=0).repeat(tokens))

    def forward(self, features: Tensor) -> Tensor:
        """Virtual tokens, (rows, tokens, width)."""
        vectors: Tensor = self.write(torch.tanh(self.read(features)))
        return vectors.view(len(features), self.tokens, -1)


class ShiftReader(nn.Module):
    """Features (rows, size) to one shift per hidden layer of a perceptron, zero until trained."""

    def __init__(self, size: int, hidden: int, widths: Sequence[int], generator: torch.Generator):
        super().__init__()
        self.widths = list(widths)
        self.read = linear(size, hidden)
        self.write = linear(hidden, sum(widths))
        draw = torch.randn(self.read.weight.shape, generator=generator)
        self.read.weight.data.copy_(draw / self.read.in_features**0.5)
        for zero in (self.read.bias, self.write.weight, self.write.bias):
            zero.data.zero_()

    def forward(self, features: Tensor) -> list[Tensor]:
        """Shifts (rows, 1, width), one per hidden layer."""
        out = self.write(torch.tanh(self.read(features))).unsqueeze(1)
        return list(out.split(self.widths, dim=-1))


class TableReader(nn.Sequential):
    """Features (rows, size) to changes (rows, entries * width) of a table, zero until trained."""

    def __init__(self, size: int, hidden: int, outputs: int, generator: torch.Generator):
        read, write = linear(size, hidden), linear(hidden, outputs)
        for drawn in (read.weight, read.bias):
            drawn.data.copy_(torch.randn(drawn.shape, generator=generator))
        for zero in (write.weight, write.bias):
            zero.data.zero_()
        super().__init__(read, nn.Tanh(), _Mean(), write)


class _Mean(nn.Module):
    """Hidden units count as their mean: Adam then moves a logit as far as it moves a bank's."""

    def forward(self, x: Tensor) -> Tensor:
        return x / x.shape[-1]
