"""Activations computed again for gradients instead of kept (Chen et al., arXiv 1604.06174).

`transformers` checkpoints its layers in training mode only, and a frozen start model must not drop
out: here only the layers' own flag is set, for as long as a forward pass that gradients need.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from typing import Any

import torch
from transformers.modeling_layers import GradientCheckpointingLayer

from paretosteer.errors import UsageError
from paretosteer.policies.banks import ActiveBanks


class Recompute:
    """Called, a context in which the network's layers keep their inputs alone.

    The banks read their coefficients while a layer runs, and gradients come after those were reset:
    each layer's coefficients and draws of dropout are saved with it.
    """

    def __init__(self, network: Any, active: ActiveBanks):
        self._layers = [x for x in network.modules() if isinstance(x, GradientCheckpointingLayer)]
        if not self._layers:
            raise UsageError(
                f"gradient_checkpointing: {type(network).__name__} has no layers that can; "
                "say gradient_checkpointing=false"
            )
        for layer in self._layers:
            _never_drop_out(layer)

        def contexts() -> tuple[AbstractContextManager[None], AbstractContextManager[None]]:
            return nullcontext(), active.again()

        # The older name goes with transformers 6, the newer one came with 5.
        enable = getattr(network, "activation_checkpointing_enable", None)
        enable = enable or network.gradient_checkpointing_enable
        enable({"use_reentrant": False, "context_fn": contexts})

    @contextmanager
    def __call__(self) -> Iterator[None]:
        """Inside, a forward pass with gradients keeps no activations inside layers."""
        for layer in self._layers:
            layer.training = torch.is_grad_enabled()
        try:
            yield
        finally:
            for layer in self._layers:
                layer.training = False


def _never_drop_out(layer: Any) -> None:
    """Set the rates that some layers (BART's) apply by themselves; modules inside stay as set."""
    for name, value in vars(layer).items():
        if "dropout" in name and isinstance(value, float):
            setattr(layer, name, 0.0)
