"""Stacked banks: many trainable changes of a layer or a table, mixed row by row in one pass.

In a table they are full-rank. In a linear layer they are low-rank: with coefficient row c, scale
s_i per bank and `bank_of` mapping rank slots to banks,

    y = W x + B ((c * s)[:, bank_of] * (A x)),     A: (sum r, in),  B: (out, sum r)

so one batch can hold every preference at once, nothing is merged or reloaded, and negative
coefficients are exact. Averaging the factors instead, (sum c_i B_i)(sum c_i A_i), is not the sum of
the deltas; `merge="factors"` keeps it as a named way to reproduce code that does so.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass, field
from typing import Literal, Protocol

import torch
from torch import Tensor, nn

Layout = tuple[tuple[int, float], ...]  # (rank, scale) of each bank of a layer


class Banked(Protocol):
    """A frozen tensor of the start model and the banks that change it."""

    @property
    def count(self) -> int:
        """Number of banks."""
        ...

    def parts(self, bank: int) -> dict[str, nn.Parameter]:
        """The trainable tensors of one bank by name."""
        ...

    def keep(self, banks: Sequence[int]) -> None:
        """Drop every bank but these, in this order."""
        ...

    def materialise(self, coefficients: Tensor) -> Tensor:
        """The plain tensor under one coefficient row (banks,)."""
        ...


@dataclass
class Mixture:
    """The coefficients that all banked layers of one model read while it runs.

    `dropout` is the share of a low-rank bank's inputs that a training pass leaves out, as LoRA does
    (arXiv 2106.09685). A training pass is one that is set up where gradients are kept: what is
    sampled, measured or scored for comparison is not. The draws are the mixture's own, so that they
    do not depend on what else a process does.
    """

    merge: Literal["sum", "factors"] = "sum"
    dropout: float = 0.0
    seed: int = 0  # of what is dropped
    coefficients: Tensor | None = None  # (rows, banks)
    index: Tensor | None = None  # (rows,), one bank per row
    single: int | None = None  # that bank, where all rows agree
    frozen: bool = False  # no parameter changes meanwhile: stacks may be kept
    training: bool = False  # this pass is one to learn from
    _slots: dict[Layout, Tensor] = field(default_factory=dict)
    _generator: torch.Generator | None = None

    @contextmanager
    def set(
        self, coefficients: Tensor | None = None, index: Tensor | None = None
    ) -> Iterator[None]:
        """Mix with these inside the block; with neither, the banks are off."""
        before = self.coefficients, self.index, self.single, self._slots, self.training
        self.coefficients, self.index, self._slots = coefficients, index, {}
        self.training = torch.is_grad_enabled()
        agreed = index is not None and bool((index == index[0]).all())
        self.single = int(index[0]) if index is not None and agreed else None
        try:
            yield
        finally:
            self.coefficients, self.index, self.single, self._slots, self.training = before

    def again(self) -> AbstractContextManager[None]:
        """What follows now, once more: the same coefficients, and the same draws of dropout."""
        coefficients, index = self.coefficients, self.index
        given = index if coefficients is None else coefficients
        draws = self._draws(given.device) if self.dropout and given is not None else None
        first = draws.get_state() if draws else None

        @contextmanager
        def repeated() -> Iterator[None]:
            last = draws.get_state() if draws else None
            with self.set(coefficients, index):
                try:
                    if draws and first is not None:
                        draws.set_state(first)
                    yield
                finally:
                    if draws and last is not None:
                        draws.set_state(last)

        return repeated()

    def slots(self, layout: Layout) -> Tensor:
        """Coefficient times scale of every rank slot, (rows, 1, sum r); made once per forward."""
        if layout not in self._slots:
            assert self.coefficients is not None
            scale = self.coefficients.new_tensor([s for _, s in layout])
            bank_of = torch.repeat_interleave(
                torch.arange(len(layout), device=scale.device),
                torch.tensor([r for r, _ in layout], device=scale.device),
            )
            self._slots[layout] = (self.coefficients * scale)[:, bank_of].unsqueeze(1)
        return self._slots[layout]

    def dropped(self, x: Tensor) -> Tensor:
        """What the banks of a layer are given of its input (rows, T, in): all but the dropout."""
        if not (self.training and self.dropout):
            return x
        kept = torch.empty_like(x).bernoulli_(1 - self.dropout, generator=self._draws(x.device))
        return x * kept / (1 - self.dropout)

    def dropout_state(self) -> Tensor | None:
        """State of the generator of the dropout; None where nothing was drawn yet."""
        return self._generator.get_state() if self._generator else None

    def set_dropout_state(self, state: Tensor | None, device: torch.device) -> None:
        """Draw again as after `dropout_state`."""
        self._generator = None
        if state is not None:
            self._draws(device).set_state(state)

    def _draws(self, device: torch.device) -> torch.Generator:
        if self._generator is None:
            self._generator = torch.Generator(device).manual_seed(self.seed)
        return self._generator


class BankedLinear(nn.Module):
    """A frozen linear layer and its banks.

    Works around `nn.Linear` and around GPT-2's `Conv1D`, whose weight is the transpose.

    Parameters
    ----------
    base
        The layer of the start model, left as it is.
    layout
        (rank, scale) of each bank; ranks may differ.
    mixture
        Where the coefficients come from, shared by all layers of the model.

    """

    def __init__(self, base: nn.Module, layout: Sequence[tuple[int, float]], mixture: Mixture):
        super().__init__()
        self.base = base
        self.mixture = mixture
        self.layout: Layout = tuple(layout)
        weight = base.weight
        assert isinstance(weight, Tensor)
        self.transposed = not isinstance(base, nn.Linear)
        out, inner = weight.shape[::-1] if self.transposed else weight.shape
        device = weight.device
        self.A = nn.ParameterList([torch.empty(r, inner, device=device) for r, _ in layout])
        self.B = nn.ParameterList([torch.zeros(out, r, device=device) for r, _ in layout])
        self._stack: tuple[Tensor, Tensor] | None = None

    def initialise(self, generator: torch.Generator) -> None:
        """Draw every bank anew: A as LoRA's Kaiming-uniform, B zero, so each delta starts at 0."""
        for a, b in zip(self.A, self.B, strict=True):
            bound = 1 / math.sqrt(a.shape[1])
            draw = torch.rand(a.shape, generator=generator, dtype=torch.float32)
            a.data.copy_((2 * draw - 1) * bound)
            b.data.zero_()

    @property
    def weight(self) -> Tensor:
        """The start model's weight: T5 looks at the type of a layer's weight before it calls it."""
        weight = self.base.weight
        assert isinstance(weight, Tensor)
        return weight

    @property
    def count(self) -> int:
        """Number of banks."""
        return len(self.layout)

    def parts(self, bank: int) -> dict[str, nn.Parameter]:
        """The factors of one bank."""
        return {"A": self.A[bank], "B": self.B[bank]}

    def keep(self, banks: Sequence[int]) -> None:
        """Drop every bank but these, in this order."""
        self.layout = tuple(self.layout[i] for i in banks)
        self.A = nn.ParameterList([self.A[i] for i in banks])
        self.B = nn.ParameterList([self.B[i] for i in banks])
        self._stack = None

    def delta(self, bank: int) -> Tensor:
        """The change s * B A that one bank makes to the layer's (out, in) matrix."""
        return self.layout[bank][1] * self.B[bank] @ self.A[bank]

    def materialise(self, coefficients: Tensor) -> Tensor:
        """The plain weight under one coefficient row (banks,), in the base layer's own shape."""
        if self.mixture.merge == "factors":
            a = sum(c * a for c, a in zip(coefficients, self.A, strict=True))
            b = sum(c * b for c, b in zip(coefficients, self.B, strict=True))
            change = self.layout[0][1] * b @ a
        else:
            change = sum(c * self.delta(i) for i, c in enumerate(coefficients))  # type: ignore[assignment]
        weight = self.base.weight
        assert isinstance(weight, Tensor)
        return (weight + (change.T if self.transposed else change)).to(weight.dtype)

    def forward(self, x: Tensor) -> Tensor:
        """Map (rows, T, in) to (rows, T, out), each row under its own coefficients."""
        y: Tensor = self.base(x)
        mixture = self.mixture
        if mixture.index is None and mixture.coefficients is None:
            return y
        x = mixture.dropped(x)
        if mixture.single is not None:
            a, b = self._single(mixture.single)
            return _add(y, x, a, None, b)
        if mixture.index is not None:
            return y + self._gathered(x, mixture.index).to(y.dtype)
        if mixture.coefficients is not None and mixture.merge == "factors":
            return y + self._factors(x, mixture.coefficients).to(y.dtype)
        a, b = self._stacked()
        return _add(y, x, a, mixture.slots(self.layout), b)

    def _single(self, bank: int) -> tuple[Tensor, Tensor]:
        """Factors (in, r) and (r, out) of one bank, its scale folded in."""
        return self.A[bank].T, self.B[bank].T * self.layout[bank][1]

    def _stacked(self) -> tuple[Tensor, Tensor]:
        """Factors (in, sum r) and (sum r, out) of all banks; kept while the mixture is frozen."""
        if self._stack is not None and self.mixture.frozen:
            return self._stack
        a, b = torch.cat(list(self.A)).T, torch.cat(list(self.B), dim=1).T
        if self.mixture.frozen:
            # Training keeps float32; sampling runs in the model's own type.
            dtype = self.base.weight.dtype
            self._stack = a.to(dtype).contiguous(), b.to(dtype).contiguous()  # type: ignore[arg-type]
            return self._stack
        return a, b

    def _gathered(self, x: Tensor, index: Tensor) -> Tensor:
        """Each row through its own bank; needs equal ranks, as one method makes them."""
        a = torch.stack(list(self.A))[index]  # (rows, r, in)
        b = torch.stack(list(self.B))[index]  # (rows, out, r)
        scale = a.new_tensor([s for _, s in self.layout])[index]
        return (x.to(a.dtype) @ a.mT) @ b.mT * scale[:, None, None]

    def _factors(self, x: Tensor, coefficients: Tensor) -> Tensor:
        a = torch.einsum("nb,bri->nri", coefficients, torch.stack(list(self.A)))
        b = torch.einsum("nb,bor->nor", coefficients, torch.stack(list(self.B)))
        return self.layout[0][1] * ((x.to(a.dtype) @ a.mT) @ b.mT)


def insert_banks(
    network: nn.Module,
    names: Sequence[str],
    layout: Callable[[str], Sequence[tuple[int, float]]],
    mixture: Mixture,
) -> dict[str, BankedLinear]:
    """Replace the named layers by banked ones, each with the (rank, scale) pairs of its layout."""
    banked = {}
    for name in names:
        parent, _, leaf = name.rpartition(".")
        owner = network.get_submodule(parent)
        banked[name] = BankedLinear(getattr(owner, leaf), layout(name), mixture)
        setattr(owner, leaf, banked[name])
    return banked


class BankedTable(nn.Module):
    """A frozen table (entries, width) looked up by index, and its full-rank banks."""

    def __init__(self, base: Tensor, count: int, mixture: Mixture):
        super().__init__()
        self.register_buffer("base", base)
        self.base: Tensor
        self.mixture = mixture
        self.deltas = nn.ParameterList([torch.zeros_like(base) for _ in range(count)])

    @property
    def count(self) -> int:
        """Number of banks."""
        return len(self.deltas)

    def parts(self, bank: int) -> dict[str, nn.Parameter]:
        """The whole change that one bank makes."""
        return {"delta": self.deltas[bank]}

    def keep(self, banks: Sequence[int]) -> None:
        """Drop every bank but these, in this order."""
        self.deltas = nn.ParameterList([self.deltas[i] for i in banks])

    def materialise(self, coefficients: Tensor) -> Tensor:
        """The plain table under one coefficient row (banks,)."""
        change = torch.einsum("b,bew->ew", coefficients, torch.stack(list(self.deltas)))
        return self.base + change

    def forward(self, entries: Tensor) -> Tensor:
        """Rows of the table, (rows,) to (rows, width), each under its own coefficients."""
        y, mixture = self.base[entries], self.mixture
        if mixture.index is not None:
            return y + torch.stack(list(self.deltas))[mixture.index, entries]
        if mixture.coefficients is None:
            return y
        chosen = torch.stack([delta[entries] for delta in self.deltas])  # (banks, rows, width)
        return y + torch.einsum("rb,brw->rw", mixture.coefficients, chosen)


def _add(y: Tensor, x: Tensor, a: Tensor, slots: Tensor | None, b: Tensor) -> Tensor:
    """y (rows, T, out) + ((x a) * slots) b, in place where the types allow."""
    hidden = x.to(a.dtype) @ a  # (rows, T, r)
    if slots is not None:
        hidden = hidden.mul_(slots.to(a.dtype))
    if y.dtype == b.dtype:
        y.view(-1, y.shape[-1]).addmm_(hidden.view(-1, len(b)), b)
        return y
    return y + (hidden @ b).to(y.dtype)


@contextmanager
def frozen(mixture: Mixture, layers: Iterable[Banked]) -> Iterator[None]:
    """Promise that no bank changes inside the block, so that its layers stack their banks once."""
    before, mixture.frozen = mixture.frozen, True
    try:
        yield
    finally:
        mixture.frozen = before
        if not before:
            for layer in layers:
                if isinstance(layer, BankedLinear):
                    layer._stack = None
