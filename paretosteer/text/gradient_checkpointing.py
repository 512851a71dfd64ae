"""Gradient checkpointing: recompute activations in the backward pass (Chen et al., 1604.06174).

`transformers` checkpoints its layers only in training mode, but a frozen start model must not apply
dropout. So only the `training` flag of the layers themselves is set, and only during a forward pass
that needs gradients.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from typing import Any

import torch
from transformers.modeling_layers import GradientCheckpointingLayer

from paretosteer.errors import UsageError
from paretosteer.policies.active_banks import ActiveBanks


class Recompute:
    """Context manager factory: inside the context, layers store only their inputs.

    Banks read their current coefficients while a layer runs, but the backward pass recomputes the
    layer after these have been reset. Hence every checkpoint also stores the coefficients and the
    random state of the banks' dropout.
    """

    def __init__(self, network: Any, active: ActiveBanks):
        self._layers = [x for x in network.modules() if isinstance(x, GradientCheckpointingLayer)]
        if not self._layers:
            raise UsageError(
                f"gradient_checkpointing: {type(network).__name__} does not support it; "
                "set gradient_checkpointing=false"
            )
        for layer in self._layers:
            _never_drop_out(layer)

        def contexts() -> tuple[AbstractContextManager[None], AbstractContextManager[None]]:
            return nullcontext(), active.again()

        # transformers 5 introduced the new name; the old one is deprecated until transformers 6.
        enable = getattr(network, "activation_checkpointing_enable", None)
        enable = enable or network.gradient_checkpointing_enable
        enable({"use_reentrant": False, "context_fn": contexts})

    @contextmanager
    def __call__(self) -> Iterator[None]:
        """Enable checkpointing for the forward passes inside the context."""
        for layer in self._layers:
            layer.training = torch.is_grad_enabled()
        try:
            yield
        finally:
            for layer in self._layers:
                layer.training = False


def _never_drop_out(layer: Any) -> None:
    """Zero the dropout rates that a layer such as BART's applies itself, outside its submodules."""
    for name, value in vars(layer).items():
        if "dropout" in name and isinstance(value, float):
            setattr(layer, name, 0.0)
