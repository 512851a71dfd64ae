"""Contiguous input of the output head, for matrix products without copies of its weight.

Causal models compute logits of the last positions only, from a slice of the hidden states. PyTorch
multiplies such a strided slice row by row, in half precision with one copy of the weight per row:
19 GB for 336 rows and a vocabulary of 49,152.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn

_LARGE = 2**20  # weights; below it float32 keeps its rounding, and there is little to gain


def use_contiguous_input(network: Any) -> None:
    """Make the network's output head read contiguous hidden states."""
    head = network.get_output_embeddings()
    if isinstance(head, nn.Linear):
        head.register_forward_pre_hook(_contiguous)


def _contiguous(head: nn.Linear, inputs: tuple[Tensor, ...]) -> tuple[Tensor, ...]:
    """Inputs of a linear layer, (rows, T, width), each contiguous."""
    if inputs and inputs[0].dtype == torch.float32 and head.weight.numel() < _LARGE:
        return inputs
    return tuple(x.contiguous() for x in inputs)
