"""Stacked banks: many trainable changes of a layer or a table, mixed row by row in one pass.

In a table they are full-rank. In a linear layer they are low-rank: with coefficient row c, scale
s_i per bank and `bank_of` mapping rank slots to banks,

    y = W x + B ((c * s)[:, bank_of] * (A x)),     A: (sum r, in),  B: (out, sum r)

so one batch can hold every preference at once, nothing is reloaded, and negative coefficients are
exact. While a small layer is frozen, rows that agree share one merged weight. Averaging the factors
instead, (sum c_i B_i)(sum c_i A_i), is not the sum of the deltas; `merge="factors"` keeps it as a
named way to reproduce code that does so.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any, ClassVar, Protocol

import torch
from torch import Tensor, nn

from paretosteer.errors import UsageError
from paretosteer.policies.active_banks import ActiveBanks, Layout
from paretosteer.runtime.overrides import overridden

MERGED = 2**18  # most entries of a layer's merged weights: 1 MB stays in a core's cache


class Banked(Protocol):
    """A frozen tensor of the start model and the banks that change it."""

    @property
    def count(self) -> int:
        """Number of banks."""
        ...

    def shared(self) -> dict[str, nn.Parameter]:
        """Trainable tensors that belong to no single bank, by name."""
        ...

    def parts(self, bank: int) -> dict[str, nn.Parameter]:
        """Trainable tensors of one bank by name."""
        ...

    def alone(self, bank: int) -> list[nn.Parameter]:
        """Tensors that train one bank alone; UsageError where none can be."""
        ...

    def initialise(self, generator: torch.Generator) -> None:
        """Initialise every bank so that each change starts at 0."""
        ...

    def keep(self, banks: Sequence[int]) -> None:
        """Drop every bank but these, in this order."""
        ...

    def delta(self, bank: int) -> Tensor:
        """Change that one bank alone makes."""
        ...

    def materialise(self, coefficients: Tensor) -> Tensor:
        """Plain tensor under one coefficient row (banks,)."""
        ...


class LinearBanks(nn.Module):
    """A frozen linear layer with changes of its own; subclasses define the changes.

    Works around `nn.Linear` and around GPT-2's `Conv1D`, whose weight is the transpose.
    """

    # Whether `factors` hold the whole change, so that a weight or an adapter can store it.
    low_rank: ClassVar[bool] = True

    def __init__(self, base: nn.Module, active: ActiveBanks):
        super().__init__()
        self.base, self.active = base, active
        self.transposed = not isinstance(base, nn.Linear)

    @property
    def weight(self) -> Tensor:
        """Start model's weight; T5 reads its dtype before it calls the layer."""
        weight = self.base.weight
        assert isinstance(weight, Tensor)
        return weight

    @property
    def shape(self) -> tuple[int, int]:
        """(out, in), independent of the layout of the weight."""
        out, inner = self.weight.shape[::-1] if self.transposed else self.weight.shape
        return out, inner

    @property
    def count(self) -> int:
        """Number of banks."""
        raise NotImplementedError

    def initialise(self, generator: torch.Generator) -> None:
        """Initialise every bank so that each change starts at 0."""
        raise NotImplementedError

    def shared(self) -> dict[str, nn.Parameter]:
        """Trainable tensors that belong to no single bank: none."""
        return {}

    def parts(self, bank: int) -> dict[str, nn.Parameter]:
        """Trainable tensors of one bank by name."""
        raise NotImplementedError

    def alone(self, bank: int) -> list[nn.Parameter]:
        """Tensors that train one bank alone: its parts."""
        return list(self.parts(bank).values())

    def keep(self, banks: Sequence[int]) -> None:
        """Drop every bank but these, in this order."""
        raise NotImplementedError

    def factors(self, coefficients: Tensor) -> tuple[Tensor, Tensor]:
        """Factors A (r, in) and B (out, r) whose product is the change under one row (banks,)."""
        raise NotImplementedError

    def change(self, x: Tensor) -> Tensor:
        """Change (rows, T, out) of the output for inputs (rows, T, in), banks being on."""
        raise NotImplementedError

    def unfreeze(self) -> None:
        """Drop the cache of `frozen`."""

    def delta(self, bank: int) -> Tensor:
        """Change that one bank alone makes to the layer's (out, in) matrix."""
        a, b = self.factors(torch.eye(self.count)[bank])
        return b @ a

    @torch.no_grad()
    def materialise(self, coefficients: Tensor) -> Tensor:
        """Plain weight under one coefficient row (banks,), in the base layer's own shape."""
        a, b = self.factors(coefficients)
        change = b @ a
        return (self.weight + (change.T if self.transposed else change)).to(self.weight.dtype)

    def forward(self, x: Tensor) -> Tensor:
        """Map (rows, T, in), or its rows flattened, to the same with `out`, row by row."""
        y: Tensor = self.base(x)
        if not self.active.on:
            return y
        x = self.active.by_rows(self.active.dropped(x))
        return y + self.change(x).to(y.dtype).view(y.shape)


class BankedLinear(LinearBanks):
    """A frozen linear layer and its low-rank banks.

    Parameters
    ----------
    base
        The layer of the start model, left unchanged.
    layout
        (rank, scale) of each bank; ranks may differ.
    active
        Coefficients, shared by all layers of the model.
    trainable_scale
        Whether the scales are parameters too, starting at those of the layout.

    """

    def __init__(
        self,
        base: nn.Module,
        layout: Sequence[tuple[int, float]],
        active: ActiveBanks,
        trainable_scale: bool = False,
    ):
        super().__init__(base, active)
        if own := overridden(type(self), ("change", "delta", "factors"), "forward"):
            raise UsageError(
                f"{type(self).__name__}: overrides {', '.join(own)}, which the forward pass of "
                "BankedLinear does not call; override `forward` too, or subclass LinearBanks"
            )
        self.layout: Layout = tuple(layout)
        out, inner = self.shape
        device = self.weight.device
        self.A = nn.ParameterList([torch.empty(r, inner, device=device) for r, _ in layout])
        self.B = nn.ParameterList([torch.zeros(out, r, device=device) for r, _ in layout])
        self.scales: nn.ParameterList | None = None
        if trainable_scale:
            self.scales = nn.ParameterList([torch.tensor([s], device=device) for _, s in layout])
        self._stack: tuple[Tensor, Tensor] | None = None
        self._merged: tuple[Tensor, Tensor] | None = None  # blocks and their weights

    def initialise(self, generator: torch.Generator) -> None:
        """Initialise every bank: A as LoRA's Kaiming-uniform, B zero, so each delta starts at 0."""
        for a, b in zip(self.A, self.B, strict=True):
            bound = 1 / math.sqrt(a.shape[1])
            draw = torch.rand(a.shape, generator=generator, dtype=torch.float32)
            a.data.copy_((2 * draw - 1) * bound)
            b.data.zero_()

    @property
    def count(self) -> int:
        """Number of banks."""
        return len(self.layout)

    def parts(self, bank: int) -> dict[str, nn.Parameter]:
        """Factors of one bank, and its scale where that is trained."""
        scale = {} if self.scales is None else {"scale": self.scales[bank]}
        return {"A": self.A[bank], "B": self.B[bank], **scale}

    def keep(self, banks: Sequence[int]) -> None:
        """Drop every bank but these, in this order."""
        self.layout = tuple(self.layout[i] for i in banks)
        self.A = nn.ParameterList([self.A[i] for i in banks])
        self.B = nn.ParameterList([self.B[i] for i in banks])
        if self.scales is not None:
            self.scales = nn.ParameterList([self.scales[i] for i in banks])
        self._stack = None

    def delta(self, bank: int) -> Tensor:
        """Change s * B A that one bank makes to the layer's (out, in) matrix."""
        return self._scale(bank) * self.B[bank] @ self.A[bank]

    def factors(self, coefficients: Tensor) -> tuple[Tensor, Tensor]:
        """Factors side by side, scales and coefficients folded into B."""
        row = coefficients.tolist()
        if self.active.merge == "factors":
            a = sum(c * a for c, a in zip(row, self.A, strict=True))
            b = sum(c * b for c, b in zip(row, self.B, strict=True))
            assert isinstance(a, Tensor) and isinstance(b, Tensor)
            return a, self.layout[0][1] * b
        # Banks of coefficient 0 are cut to rank 0, not dropped: all of them may be 0.
        ranks = [int(c != 0) * len(a) for c, a in zip(row, self.A, strict=True)]
        a = torch.cat([a[:r] for r, a in zip(ranks, self.A, strict=True)])
        scaled = [
            c * self._scale(i) * self.B[i][:, :r]
            for i, (c, r) in enumerate(zip(row, ranks, strict=True))
        ]
        return a, torch.cat(scaled, dim=1)

    @torch.no_grad()
    def materialise(self, coefficients: Tensor) -> Tensor:
        """Plain weight under one coefficient row (banks,), in the base layer's own shape."""
        if self.active.merge == "factors":
            return super().materialise(coefficients)
        change = sum(c * self.delta(i) for i, c in enumerate(coefficients))
        assert isinstance(change, Tensor)
        return (self.weight + (change.T if self.transposed else change)).to(self.weight.dtype)

    def forward(self, x: Tensor) -> Tensor:
        """Map (rows, T, in), or its rows flattened, to the same with `out`, row by row."""
        active = self.active
        if active.on and (weights := self._merged_weights()) is not None:
            return self._block_by_block(x, weights)
        y: Tensor = self.base(x)
        if not active.on:
            return y
        x = active.dropped(x)
        if active.single is not None:
            a, b = self._single(active.single)
            return _add(y, x, a, None, b)
        x = active.by_rows(x)
        if active.index is not None and len({len(a) for a in self.A}) == 1:
            return y + self._gathered(x, active.index).to(y.dtype).view(y.shape)
        if active.coefficients is not None and active.merge == "factors":
            return y + self._factors(x, active.coefficients).to(y.dtype).view(y.shape)
        a, b = self._stacked()
        return _add(y, x, a, self._slots(), b)

    def unfreeze(self) -> None:
        """Drop the stacks and merged weights."""
        self._stack = self._merged = None

    def _merged_weights(self) -> Tensor | None:
        """Whole weights (blocks, in, out) of blocks of rows, where they are small and frozen.

        They save a small layer from two more products with every input.
        """
        mergeable = type(self.base) is nn.Linear and self.weight.dtype == torch.float32
        if not (mergeable and self.active.frozen and self.active.merge == "sum"):
            return None
        blocks = self.active.blocks(self.count)
        if blocks is None or len(blocks) * self.weight.numel() > MERGED:
            return None
        if self._merged is None or self._merged[0] is not blocks:
            a, b = self._stacked()
            slots = self._slots()  # (rows, 1, sum r)
            scaled = a * slots[:: len(slots) // len(blocks)]  # (blocks, in, sum r)
            self._merged = blocks, self.weight.T + scaled @ b
        return self._merged[1]

    def _block_by_block(self, x: Tensor, weights: Tensor) -> Tensor:
        """Output for inputs (…, in) whose consecutive rows have these weights (blocks, in, out)."""
        rows = self.active.by_rows(x)
        y = rows.reshape(len(weights), -1, rows.shape[-1]) @ weights
        y = y.view(*x.shape[:-1], -1)
        bias = self.base.bias
        return y.add_(bias) if isinstance(bias, Tensor) else y

    def _scale(self, bank: int) -> Any:
        """Scale of one bank: a number, or a parameter (1,)."""
        return self.layout[bank][1] if self.scales is None else self.scales[bank]

    def _slots(self) -> Tensor:
        """Coefficient times scale of every rank slot, (rows, 1, sum r)."""
        if self.scales is None:
            return self.active.slots(self.layout)
        unscaled = tuple((r, 1.0) for r, _ in self.layout)
        scale = torch.cat([*self.scales])[self.active.bank_of(unscaled)]  # (sum r,)
        return self.active.slots(unscaled) * scale

    def _single(self, bank: int) -> tuple[Tensor, Tensor]:
        """Factors (in, r) and (r, out) of one bank, its scale folded in."""
        return self.A[bank].T, self.B[bank].T * self._scale(bank)

    def _stacked(self) -> tuple[Tensor, Tensor]:
        """Factors (in, sum r) and (sum r, out) of all banks; cached while they are frozen."""
        if self._stack is not None and self.active.frozen:
            return self._stack
        a, b = torch.cat(list(self.A)).T, torch.cat(list(self.B), dim=1).T
        if self.active.frozen:
            # Training keeps float32; sampling runs in the model's own type.
            dtype = self.weight.dtype
            self._stack = a.to(dtype).contiguous(), b.to(dtype).contiguous()
            return self._stack
        return a, b

    def _gathered(self, x: Tensor, index: Tensor) -> Tensor:
        """Each row through its own bank; needs equal ranks."""
        a = torch.stack(list(self.A))[index]  # (rows, r, in)
        b = torch.stack(list(self.B))[index]  # (rows, out, r)
        if self.scales is None:
            scale = a.new_tensor([s for _, s in self.layout])[index]
        else:
            scale = torch.cat([*self.scales])[index]
        return (x.to(a.dtype) @ a.mT) @ b.mT * scale[:, None, None]

    def _factors(self, x: Tensor, coefficients: Tensor) -> Tensor:
        a = torch.einsum("nb,bri->nri", coefficients, torch.stack(list(self.A)))
        b = torch.einsum("nb,bor->nor", coefficients, torch.stack(list(self.B)))
        return self.layout[0][1] * ((x.to(a.dtype) @ a.mT) @ b.mT)


def insert_banks(
    network: nn.Module, names: Iterable[str], make: Callable[[str, nn.Module], LinearBanks]
) -> dict[str, LinearBanks]:
    """Replace the named linear layers by those that `make` builds around them."""
    banked = {}
    for name in names:
        parent, _, leaf = name.rpartition(".")
        owner = network.get_submodule(parent)
        banked[name] = make(name, getattr(owner, leaf))
        setattr(owner, leaf, banked[name])
    return banked


class BankedTable(nn.Module):
    """A frozen table (entries, width) looked up by index, and its full-rank banks."""

    def __init__(self, base: Tensor, count: int, active: ActiveBanks):
        super().__init__()
        self.register_buffer("base", base)
        self.base: Tensor
        self.active = active
        self.deltas = nn.ParameterList([torch.zeros_like(base) for _ in range(count)])

    @property
    def count(self) -> int:
        """Number of banks."""
        return len(self.deltas)

    def initialise(self, generator: torch.Generator) -> None:
        """Nothing to draw: full-rank banks start at 0."""

    def shared(self) -> dict[str, nn.Parameter]:
        """Nothing."""
        return {}

    def parts(self, bank: int) -> dict[str, nn.Parameter]:
        """Whole change that one bank makes."""
        return {"delta": self.deltas[bank]}

    def alone(self, bank: int) -> list[nn.Parameter]:
        """Change that one bank makes."""
        return [self.deltas[bank]]

    def keep(self, banks: Sequence[int]) -> None:
        """Drop every bank but these, in this order."""
        self.deltas = nn.ParameterList([self.deltas[i] for i in banks])

    def delta(self, bank: int) -> Tensor:
        """Change that one bank makes to the table."""
        return self.deltas[bank]

    def materialise(self, coefficients: Tensor) -> Tensor:
        """Plain table under one coefficient row (banks,)."""
        change = torch.einsum("b,bew->ew", coefficients, torch.stack(list(self.deltas)))
        return self.base + change

    def forward(self, entries: Tensor) -> Tensor:
        """Rows of the table, (rows,) to (rows, width), each under its own coefficients."""
        y, active = self.base[entries], self.active
        if active.index is not None:
            return y + torch.stack(list(self.deltas))[active.index, entries]
        if active.coefficients is None:
            return y
        chosen = torch.stack([delta[entries] for delta in self.deltas])  # (banks, rows, width)
        return y + torch.einsum("rb,brw->rw", active.coefficients, chosen)


def _add(y: Tensor, x: Tensor, a: Tensor, slots: Tensor | None, b: Tensor) -> Tensor:
    """y (…, out) + ((x a) * slots) b for x (rows, T, in), in place where the types allow."""
    if len(b) == 0:  # an adapter that does not change this layer
        return y
    hidden = x.to(a.dtype) @ a  # (rows, T, r)
    if slots is not None:
        slots = slots.to(a.dtype)
        # In place, unless the slots (trainable scales) need the value for their gradient.
        hidden = hidden * slots if slots.requires_grad else hidden.mul_(slots)
    if y.dtype == b.dtype:
        y.view(-1, y.shape[-1]).addmm_(hidden.view(-1, len(b)), b)
        return y
    return y + (hidden @ b).to(y.dtype).view(y.shape)


@contextmanager
def frozen(active: ActiveBanks, layers: Iterable[object]) -> Iterator[None]:
    """Cache stacked banks inside the block, in which no bank may change."""
    before, active.frozen = active.frozen, True
    try:
        yield
    finally:
        active.frozen = before
        if not before:
            for layer in layers:
                if isinstance(layer, LinearBanks):
                    layer.unfreeze()
