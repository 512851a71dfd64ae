"""Gram matrices of the inputs that a specialist's linear layers see, as RegMean needs them."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack
from typing import Any

import torch
from torch import Tensor, nn

from paretosteer.policies.control import Control
from paretosteer.policies.protocols import Policy


@torch.no_grad()
def gram_matrices(
    policy: Policy,
    layers: Mapping[str, nn.Module],
    bank: int,
    prompts: Sequence[Any],
    seed: int,
) -> tuple[dict[str, Tensor], int]:
    """X^T X (in, in) of every layer for one bank's samples of some prompts, and their units.

    X holds all tokens of prompt and response. Samples pass one at a time, since padding beside
    shorter ones would count as input.
    """
    grams: dict[str, Tensor] = {}
    units = 0

    def hook(name: str) -> Callable[..., None]:
        def add(layer: nn.Module, inputs: tuple[Tensor, ...]) -> None:
            x = inputs[0].flatten(0, -2).double()  # (tokens, in)
            grams[name] = grams.get(name, 0) + x.T @ x

        return add

    for sample in _single_samples(policy, bank, prompts, seed):
        with ExitStack() as hooks:
            for name, layer in layers.items():
                handle = layer.register_forward_pre_hook(hook(name))
                hooks.callback(handle.remove)
            policy.log_probs(sample, Control.bank([bank]))
        units += sample.tokens
    return grams, units


def _single_samples(
    policy: Policy, bank: int, prompts: Sequence[Any], seed: int, rows: int = 64
) -> Iterator[Any]:
    """One sample per prompt, each alone; drawn in batches where batches can be taken apart."""
    for first in range(0, len(prompts), rows):
        part = prompts[first : first + rows]
        numbers = list(range(first, first + len(part)))  # prompts may repeat
        drawn: Any = policy.sample(part, Control.bank([bank] * len(part)), seed, numbers)
        for i, prompt in enumerate(part):
            if hasattr(drawn, "take"):
                yield drawn.take([i])
            else:
                yield policy.sample([prompt], Control.bank([bank]), seed, [numbers[i]])
