"""Which banks are on, and by how much: coefficients that all banked layers of a model read."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass, field
from typing import Literal

import torch
from torch import Tensor
from torch.nn import functional

from paretosteer.errors import UnsupportedError

Layout = tuple[tuple[int, float], ...]  # (rank, scale) of each bank of a layer


@dataclass
class ActiveBanks:
    """Coefficients that all banked layers of one model read while it runs.

    `dropout` is the share of a low-rank bank's inputs that a training pass drops, as in LoRA (arXiv
    2106.09685). A training pass is one that is set up with gradients enabled; sampling, measuring
    and scoring are none. The draws have a generator of their own, so that they do not depend on
    what else a process does.
    """

    merge: Literal["sum", "factors"] = "sum"
    dropout: float = 0.0
    seed: int = 0  # of dropout
    coefficients: Tensor | None = None  # (rows, banks)
    index: Tensor | None = None  # (rows,), one bank per row
    single: int | None = None  # that bank, where all rows agree
    frozen: bool = False  # no parameter changes, so stacks may be cached
    training: bool = False  # a training pass
    _slots: dict[Layout, Tensor] = field(default_factory=dict)
    _distinct: list[tuple[tuple[float, ...], Tensor]] | None = None
    _blocks: Tensor | None = None  # latest of `blocks`
    _blocks_known: bool = False  # whether they are those of the current rows
    _generator: torch.Generator | None = None

    @contextmanager
    def set(
        self, coefficients: Tensor | None = None, index: Tensor | None = None
    ) -> Iterator[None]:
        """Mix the banks with these inside the block; with neither, they are off."""
        before = self.coefficients, self.index, self.single, self._slots, self.training
        self.coefficients, self.index = coefficients, index
        self._forget()
        self.training = torch.is_grad_enabled()
        agreed = index is not None and bool((index == index[0]).all())
        self.single = int(index[0]) if index is not None and agreed else None
        try:
            yield
        finally:
            self._forget()
            self.coefficients, self.index, self.single, self._slots, self.training = before

    def select(self, rows: Tensor) -> None:
        """Drop every row of the coefficients but these (n,), until the block of `set` ends."""
        if self.coefficients is not None and len(self.coefficients) > 1:
            self.coefficients = self.coefficients[rows]
        if self.index is not None and len(self.index) > 1:
            self.index = self.index[rows]
        self._forget()

    def _forget(self) -> None:
        """Forget what was derived from other rows."""
        self._slots, self._distinct, self._blocks_known = {}, None, False

    def again(self) -> AbstractContextManager[None]:
        """Context that restores the current state: coefficients and draws of dropout."""
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

    def by_rows(self, x: Tensor) -> Tensor:
        """Input (…, in) of a layer as (rows, T, in).

        Some models flatten rows and positions before their layers (OPT, mixtures of experts).
        """
        given = self.index if self.coefficients is None else self.coefficients
        assert given is not None
        rows = len(given)
        if x.dim() == 3 and (len(x) == rows or rows == 1):
            return x
        if len(x) % rows:
            raise UnsupportedError(
                f"a linear layer gets a selection of {len(x)} tokens from {rows} rows"
            )
        return x.reshape(rows, -1, x.shape[-1])

    @property
    def on(self) -> bool:
        """True if any bank is active."""
        return self.index is not None or self.coefficients is not None

    def rows(self, count: int) -> Tensor:
        """Coefficients (rows, banks), one-hot where each row has one bank."""
        if self.coefficients is not None:
            return self.coefficients
        assert self.index is not None
        return functional.one_hot(self.index, count).float()

    def distinct(self, count: int) -> list[tuple[tuple[float, ...], Tensor]]:
        """Each distinct coefficient row (banks,) and the rows (n,) that have it."""
        if self._distinct is None:
            unique, place = torch.unique(self.rows(count), dim=0, return_inverse=True)
            self._distinct = [
                (tuple(row), (place == i).nonzero().flatten())
                for i, row in enumerate(unique.tolist())
            ]
        return self._distinct

    def blocks(self, count: int) -> Tensor | None:
        """Coefficients (blocks, banks) of equal blocks of consecutive rows that agree, if any.

        The same tensor is returned as long as its values stay the same.
        """
        if not self._blocks_known:
            found, last = _equal_blocks(self.rows(count)), self._blocks
            if found is None or last is None or not torch.equal(found, last):
                self._blocks = found
            self._blocks_known = True
        return self._blocks

    def slots(self, layout: Layout) -> Tensor:
        """Coefficient times scale of every rank slot, (rows, 1, sum r); made once per forward."""
        if layout not in self._slots:
            coefficients = self.rows(len(layout))
            scale = coefficients.new_tensor([s for _, s in layout])
            self._slots[layout] = (coefficients * scale)[:, self.bank_of(layout)].unsqueeze(1)
        return self._slots[layout]

    def bank_of(self, layout: Layout) -> Tensor:
        """Bank of every rank slot, (sum r,)."""
        given = self.index if self.coefficients is None else self.coefficients
        assert given is not None
        ranks = torch.tensor([r for r, _ in layout], device=given.device)
        return torch.repeat_interleave(torch.arange(len(layout), device=given.device), ranks)

    def dropped(self, x: Tensor) -> Tensor:
        """A layer's input (rows, T, in) as its banks see it, after dropout."""
        if not (self.training and self.dropout):
            return x
        kept = torch.empty_like(x).bernoulli_(1 - self.dropout, generator=self._draws(x.device))
        return x * kept / (1 - self.dropout)

    def dropout_state(self) -> Tensor | None:
        """State of dropout's generator; None before its first draw."""
        return self._generator.get_state() if self._generator else None

    def set_dropout_state(self, state: Tensor | None, device: torch.device) -> None:
        """Restore what `dropout_state` returned."""
        self._generator = None
        if state is not None:
            self._draws(device).set_state(state)

    def _draws(self, device: torch.device) -> torch.Generator:
        if self._generator is None:
            self._generator = torch.Generator(device).manual_seed(self.seed)
        return self._generator


def _equal_blocks(rows: Tensor) -> Tensor | None:
    """Coefficients (blocks, banks) if rows (n, banks) agree in consecutive blocks of one size."""
    starts = (rows[1:] != rows[:-1]).any(dim=1).nonzero().flatten() + 1
    blocks = len(starts) + 1
    size = len(rows) // blocks
    equal = torch.arange(1, blocks, device=rows.device) * size
    return rows[::size] if len(rows) == blocks * size and torch.equal(starts, equal) else None
