"""Conditioning `shifts`: coefficients shift the output of every layer beside one shared bank.

    y = W x + s B A x + sum_k c_k b_k

The low-rank bank (A, B) is the same for every preference, and b_k, one vector of each layer for
every coefficient, carries what differs. It is the LoRA (arXiv 2106.09685) of the methods that read
a preference in the prompt, with biases (BitFit, arXiv 2106.10199) in place of the prompt.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from paretosteer.errors import UnsupportedError, UsageError
from paretosteer.policies.active_banks import ActiveBanks
from paretosteer.policies.banks import BankedTable, LinearBanks
from paretosteer.policies.conditioning import Conditioning, Scope


class ShiftedLinear(LinearBanks):
    """A frozen linear layer, a low-rank change that is always on, and one shift per coefficient.

    Parameters
    ----------
    base
        The layer of the start model, left unchanged.
    count
        Number of coefficients.
    rank, scale
        Of the low-rank change; scale is s.
    active
        Coefficients, shared by all layers of the model.

    """

    low_rank = False

    def __init__(
        self, base: nn.Module, count: int, rank: int, scale: float, active: ActiveBanks
    ) -> None:
        super().__init__(base, active)
        self.scale = scale
        out, inner = self.shape
        device = self.weight.device
        self.A = nn.Parameter(torch.empty(rank, inner, device=device))
        self.B = nn.Parameter(torch.empty(out, rank, device=device))
        self.shift = nn.ParameterList([torch.empty(out, device=device) for _ in range(count)])

    def initialise(self, generator: torch.Generator) -> None:
        """Draw A as LoRA's Kaiming-uniform; B and the shifts are 0."""
        draw = torch.rand(self.A.shape, generator=generator, dtype=torch.float32)
        self.A.data.copy_((2 * draw - 1) / math.sqrt(self.A.shape[1]))
        for zero in (self.B, *self.shift):
            zero.data.zero_()

    @property
    def count(self) -> int:
        """Number of coefficients."""
        return len(self.shift)

    def shared(self) -> dict[str, nn.Parameter]:
        """Factors of the low-rank change."""
        return {"A": self.A, "B": self.B}

    def parts(self, bank: int) -> dict[str, nn.Parameter]:
        """Shift of one coefficient."""
        return {"shift": self.shift[bank]}

    def alone(self, bank: int) -> list[nn.Parameter]:
        """Refuse: the low-rank change is trained for all coefficients at once."""
        raise UsageError(
            f"bank {bank}: shifts share a low-rank change, so none can be trained alone; train "
            "them together on policy.parameters()"
        )

    def keep(self, banks: Sequence[int]) -> None:
        """Drop every shift but these, in this order."""
        self.shift = nn.ParameterList([self.shift[i] for i in banks])

    def factors(self, coefficients: Tensor) -> tuple[Tensor, Tensor]:
        """Refuse: factors of a weight have no room for a shift."""
        raise UsageError(
            "export: this policy shifts the outputs of layers, which weights alone cannot store; "
            "use `paretosteer sample`"
        )

    def change(self, x: Tensor) -> Tensor:
        """Map (rows, T, in) to the change (rows, T, out) under the active coefficients."""
        coefficients = self.active.rows(self.count).to(self.A.dtype)
        shift = coefficients @ torch.stack([*self.shift])  # (rows, out)
        return self.scale * (x.to(self.A.dtype) @ self.A.T @ self.B.T) + shift.unsqueeze(1)


@dataclass(frozen=True)
class Shifts(Conditioning):
    """One bank that is always on, and a shift of every layer's output for each of `count` weights.

    Steered by `Control.soup` with any coefficients, such as weights or target scores.
    """

    steered_by = "soup"

    count: int
    rank: int
    alpha: float
    dropout: float = 0.0

    @classmethod
    def of(cls, size: int, options: Any) -> Conditioning:
        """With the rank, alpha and dropout of the options."""
        return cls(size, options.rank, options.alpha, options.dropout)

    def bank_scope(self) -> Scope:
        """All layers."""
        return "all"

    def linear(self, base: nn.Module, active: ActiveBanks) -> LinearBanks:
        """Low-rank change and shifts."""
        return ShiftedLinear(base, self.count, self.rank, self.alpha / self.rank, active)

    def table(self, base: Tensor, active: ActiveBanks) -> BankedTable:
        """Refuse: a table has no layers."""
        raise UnsupportedError(
            "a table of logits has no layers whose output to shift; set method.condition=features"
        )
