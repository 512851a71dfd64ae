"""Banks of full rank that are merged anew for every distinct row of coefficients.

A merge is not linear in its weights, so the rows of a batch cannot share one stack of banks: their
merged deltas are computed once per distinct row, and kept for as long as the same rows are asked
for. All of them are in memory at once.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from paretosteer.errors import UnsupportedError, UsageError
from paretosteer.policies.active_banks import ActiveBanks
from paretosteer.policies.banks import BankedTable, LinearBanks
from paretosteer.policies.conditioning import Conditioning, Scope
from paretosteer.policies.merging import Merge


class MergedDeltas(nn.Module):
    """Deltas (…) of m specialists of one tensor, and their merge under any weights."""

    def __init__(self, shape: Sequence[int], device: torch.device, count: int, merge: Merge):
        super().__init__()
        self.merge = merge
        self.deltas = _zeros(count, shape, device)
        inputs = shape[1]
        self.grams = _zeros(count if merge.kind == "regmean" else 0, (inputs, inputs), device)
        self._merged: dict[tuple[float, ...], Tensor] = {}
        self._version = 0

    def parts(self, bank: int) -> dict[str, nn.Parameter]:
        """Tensors of one specialist."""
        gram = {"gram": self.grams[bank]} if len(self.grams) else {}
        return {"delta": self.deltas[bank], **gram}

    def keep(self, banks: Sequence[int]) -> None:
        """Drop every specialist but these, in this order."""
        self.deltas = nn.ParameterList([self.deltas[i] for i in banks])
        if len(self.grams):
            self.grams = nn.ParameterList([self.grams[i] for i in banks])
        self._merged = {}

    @torch.no_grad()
    def under(self, weights: Tensor) -> Tensor:
        """Merged delta under one row of weights (m,)."""
        grams = torch.stack([*self.grams]) if len(self.grams) else None
        return self.merge.combine(torch.stack([*self.deltas]), weights, grams)

    def distinct(self, active: ActiveBanks) -> list[tuple[Tensor, Tensor]]:
        """Each distinct row of weights: the rows (n,) that have it, and its merged delta."""
        version = sum(x._version for x in (*self.deltas, *self.grams))
        before = self._merged if version == self._version else {}
        rows = active.distinct(len(self.deltas))
        self._version = version
        self._merged = {
            key: before[key] if key in before else self.under(self.deltas[0].new_tensor(key))
            for key, _ in rows
        }
        return [(index, self._merged[key]) for key, index in rows]


class MergedLinear(LinearBanks):
    """A frozen linear layer and the merge of its specialists."""

    def __init__(self, base: nn.Module, count: int, merge: Merge, active: ActiveBanks):
        super().__init__(base, active)
        self.specialists = MergedDeltas(self.shape, self.weight.device, count, merge)

    @property
    def count(self) -> int:
        """Number of specialists."""
        return len(self.specialists.deltas)

    def initialise(self, generator: torch.Generator) -> None:
        """Nothing to draw: every change starts at 0."""

    def parts(self, bank: int) -> dict[str, nn.Parameter]:
        """Tensors of one specialist."""
        return self.specialists.parts(bank)

    def keep(self, banks: Sequence[int]) -> None:
        """Drop every specialist but these, in this order."""
        self.specialists.keep(banks)

    def delta(self, bank: int) -> Tensor:
        """Change (out, in) that one specialist makes alone."""
        return self.specialists.under(torch.eye(self.count, device=self.weight.device)[bank])

    def factors(self, coefficients: Tensor) -> tuple[Tensor, Tensor]:
        """Refuse: a merge has full rank."""
        raise UsageError(
            f"--as peft: a merge by {self.specialists.merge.kind} has full rank, which no LoRA "
            "adapter stores; use --as model"
        )

    @torch.no_grad()
    def materialise(self, coefficients: Tensor) -> Tensor:
        """Plain weight under one row of weights (m,), in the base layer's own shape."""
        change = self.specialists.under(coefficients)
        return (self.weight + (change.T if self.transposed else change)).to(self.weight.dtype)

    def change(self, x: Tensor) -> Tensor:
        """Map (rows, T, in) to the change (rows, T, out), each row under its own weights."""
        parts = self.specialists.distinct(self.active)
        if len(parts) == 1:
            return x.to(parts[0][1].dtype) @ parts[0][1].T
        out = x.new_zeros(*x.shape[:-1], self.shape[0], dtype=parts[0][1].dtype)
        for rows, delta in parts:
            out[rows] = x[rows].to(delta.dtype) @ delta.T
        return out


class MergedTable(BankedTable):
    """A frozen table (entries, width) and the merge of its specialists."""

    def __init__(self, base: Tensor, count: int, merge: Merge, active: ActiveBanks):
        super().__init__(base, 0, active)
        self.specialists = MergedDeltas(base.shape, base.device, count, merge)

    @property
    def count(self) -> int:
        """Number of specialists."""
        return len(self.specialists.deltas)

    def parts(self, bank: int) -> dict[str, nn.Parameter]:
        """Tensors of one specialist."""
        return self.specialists.parts(bank)

    def alone(self, bank: int) -> list[nn.Parameter]:
        """Tensors of one specialist."""
        return list(self.parts(bank).values())

    def keep(self, banks: Sequence[int]) -> None:
        """Drop every specialist but these, in this order."""
        self.specialists.keep(banks)

    def delta(self, bank: int) -> Tensor:
        """Change that one specialist makes alone."""
        return self.specialists.under(torch.eye(self.count, device=self.base.device)[bank])

    def materialise(self, coefficients: Tensor) -> Tensor:
        """Plain table under one row of weights (m,)."""
        return self.base + self.specialists.under(coefficients)

    def forward(self, entries: Tensor) -> Tensor:
        """Rows of the table, (rows,) to (rows, width), each under its own weights."""
        y = self.base[entries]
        if not self.active.on:
            return y
        for rows, delta in self.specialists.distinct(self.active):
            y[rows] += delta[entries[rows]]
        return y


@dataclass(frozen=True)
class MergedBanks(Conditioning):
    """Merge of `count` specialists under weights of 0 or more, steered by `Control.soup`.

    Their deltas have full rank, are set and not trained.
    """

    steered_by = "soup"

    count: int
    how: Merge
    scope: Scope = "all"

    def __post_init__(self) -> None:
        if self.count < 2:
            raise UsageError(f"merge: found {self.count} specialist; merge two or more")

    def bank_scope(self) -> Scope:
        """As chosen."""
        return self.scope

    def linear(self, base: nn.Module, active: ActiveBanks) -> LinearBanks:
        """Merged deltas around one linear layer."""
        return MergedLinear(base, self.count, self.how, active)

    def table(self, base: Tensor, active: ActiveBanks) -> BankedTable:
        """Merged deltas of a table; RegMean needs the inputs of a linear layer."""
        if self.how.kind == "regmean":
            raise UnsupportedError("regmean merges linear layers by their inputs; a table has none")
        return MergedTable(base, self.count, self.how, active)


def _zeros(count: int, shape: Sequence[int], device: torch.device) -> nn.ParameterList:
    return nn.ParameterList(
        nn.Parameter(torch.zeros(*shape, device=device), requires_grad=False) for _ in range(count)
    )
