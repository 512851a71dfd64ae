"""A small conditioned network for policies of benchmarks without text."""

from __future__ import annotations

import copy
from collections.abc import Sequence
from itertools import pairwise

import torch
from torch import Tensor, nn
from torch.nn import functional

from paretosteer.errors import UnsupportedError
from paretosteer.policies.banks import LinearBanks, insert_banks
from paretosteer.policies.base import Conditioned
from paretosteer.policies.conditioning import Conditioning, Scope
from paretosteer.policies.control import Control
from paretosteer.policies.readers import linear


class Perceptron(nn.Module):
    """Linear layers with SiLU between them; with attention, items of a row see each other.

    Parameters
    ----------
    widths
        Inputs, hidden widths, outputs.
    attention
        Put one head of self-attention after the first hidden layer.

    """

    def __init__(self, widths: Sequence[int], attention: bool = False):
        super().__init__()
        self.widths = list(widths)
        self.linear = nn.ModuleList([linear(a, b) for a, b in pairwise(widths)])
        self.attention = SelfAttention(widths[1]) if attention else None

    @property
    def hidden(self) -> list[int]:
        """Width of every hidden layer."""
        return [layer.out_features for layer in self._linear[:-1]]

    @property
    def _linear(self) -> list[nn.Linear]:
        return list(self.linear)  # type: ignore[arg-type]

    def initialise(self, generator: torch.Generator) -> None:
        """Initialise every weight with the bound of torch's own linear layers; biases 0."""
        for layer in self.modules():
            if isinstance(layer, nn.Linear):
                draw = torch.rand(layer.weight.shape, generator=generator)
                layer.weight.data.copy_((2 * draw - 1) * (3 / layer.in_features) ** 0.5)
                layer.bias.data.zero_()

    def forward(
        self, x: Tensor, mask: Tensor | None = None, shifts: Sequence[Tensor] | None = None
    ) -> Tensor:
        """Map (rows, items, in) to (rows, items, out).

        `mask` (rows, items) says which items there are; `shifts` (rows, 1, hidden) are added
        before each hidden layer's activation.
        """
        *hidden, last = self._linear
        for i, layer in enumerate(hidden):
            x = layer(x)
            x = functional.silu(x if shifts is None else x + shifts[i])
            if i == 0 and self.attention is not None:
                x = x + self.attention(x, mask)
        out: Tensor = last(x)
        return out


class SelfAttention(nn.Module):
    """One head over the items of a row, without positions: their order does not matter."""

    def __init__(self, width: int):
        super().__init__()
        self.query, self.key, self.value, self.out = (linear(width, width) for _ in range(4))

    def forward(self, x: Tensor, mask: Tensor | None) -> Tensor:
        """Map (rows, items, width) to the same shape; absent items are ignored."""
        seen = None if mask is None else mask.unsqueeze(1)  # (rows, 1, items)
        mixed = functional.scaled_dot_product_attention(
            self.query(x), self.key(x), self.value(x), attn_mask=seen
        )
        out: Tensor = self.out(mixed)
        return out


class ConditionedPerceptron(Conditioned[LinearBanks]):
    """A frozen perceptron under a conditioning: banks in its layers, or features.

    Features are read by a small network that shifts every hidden layer, or by a network of their
    own that reads them beside the inputs.
    """

    def __init__(self, start: Perceptron, conditioning: Conditioning, seed: int):
        super().__init__(conditioning, seed)
        shared = {id(p): p for p in start.parameters()}
        self.network = copy.deepcopy(start, shared)
        device = next(start.parameters()).device
        generator = torch.Generator().manual_seed(seed)
        own = conditioning.own_network(start, generator)
        self.has_own = own is not None
        reader = conditioning.network_reader(start.hidden, generator) if own is None else own
        self.reader = reader if reader is None else reader.to(device)
        if own is None and (scope := conditioning.bank_scope()):
            self.layers = insert_banks(
                self.network,
                self._names(scope),
                lambda _, layer: conditioning.linear(layer, self.active),
            )
        self.initialise_banks(generator)

    @property
    def size(self) -> int:
        """Weights of the network and its conditioning."""
        read = sum(p.numel() for p in self.reader.parameters()) if self.reader else 0
        if self.conditioning.replaces_start and read:
            return read
        return sum(p.numel() for p in self.network.parameters()) + read

    def outputs(self, x: Tensor, control: Control, mask: Tensor | None = None) -> Tensor:
        """Map (rows, items, in) to (rows, items, out), each row under its own control."""
        control = control.to(x.device)
        if self.has_own and control.kind == "features":
            assert self.reader is not None
            own: Tensor = self.reader(x, control.values, mask)
            return own if self.conditioning.replaces_start else own + self.network(x, mask)
        shifts = self.read(control)
        with self.mixed(control):
            out: Tensor = self.network(x, mask, shifts)
        return out

    @torch.no_grad()
    def materialise(self, coefficients: Tensor) -> Perceptron:
        """A plain copy of the network with one coefficient row (banks,) merged into its weights."""
        plain = copy.deepcopy(self.network)
        for name, layer in self.layers.items():
            parent, _, leaf = name.rpartition(".")
            base = copy.deepcopy(layer.base)
            base.weight = nn.Parameter(layer.materialise(coefficients), requires_grad=False)
            setattr(plain.get_submodule(parent), leaf, base)
        return plain

    def _names(self, scope: Scope) -> list[str]:
        """Linear layers in the scope, in order; here `all` includes the output layer."""
        names = [n for n, layer in self.network.named_modules() if isinstance(layer, nn.Linear)]
        if scope == "all":
            return names
        if scope == "head":
            return [f"linear.{len(self.network.linear) - 1}"]
        if self.network.attention is None:
            raise UnsupportedError("this benchmark's network has no attention layers to adapt")
        inside = [name for name in names if name.startswith("attention.")]
        return inside if scope == "attention" else [n for n in inside if n != "attention.out"]
