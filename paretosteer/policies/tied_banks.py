"""Tied banks of a linear layer: one pair of outer factors, mixed inside by the coefficients.

    y = W x + s B C(c) A x,    C(c) = blockdiag(C_0, sum_k c_k C_k)

A is (r0 + r, in) and B (out, r0 + r); the first r0 slots are always on. PBLoRA (arXiv 2505.06274)
has full matrices inside, Panacea (arXiv 2402.02030) a diagonal: trainable singular values for C_0,
and c_k times one trainable number of the layer at slot k.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch
from torch import Tensor, nn

from paretosteer.errors import UsageError
from paretosteer.policies.active_banks import ActiveBanks
from paretosteer.policies.banks import LinearBanks


class TiedLinear(LinearBanks):
    """A frozen linear layer and its tied banks.

    Parameters
    ----------
    base
        The layer of the start model, left unchanged.
    count, rank, always_on
        Number of banks, slots that they mix, slots that are always on.
    scale
        s.
    diagonal
        Whether the inner matrices are diagonal; then rank equals count.
    active
        Coefficients, shared by all layers of the model.

    """

    def __init__(
        self,
        base: nn.Module,
        count: int,
        rank: int,
        always_on: int,
        scale: float,
        diagonal: bool,
        active: ActiveBanks,
    ):
        super().__init__(base, active)
        self.rank, self.always_on = rank, always_on
        self.scale, self.diagonal = scale, diagonal
        out, inner = self.shape
        device, slots = self.weight.device, always_on + rank
        self.A = nn.Parameter(torch.empty(slots, inner, device=device))
        self.B = nn.Parameter(torch.zeros(out, slots, device=device))
        fixed = (always_on,) if diagonal else (always_on, always_on)
        self.C0 = nn.Parameter(torch.empty(fixed, device=device)) if always_on else None
        # diagonal: one number that all banks of the layer share, and the slot of each bank
        self.preference_scale = nn.Parameter(torch.empty(1, device=device)) if diagonal else None
        full = [] if diagonal else [torch.empty(rank, rank, device=device) for _ in range(count)]
        self.C = nn.ParameterList(full)
        self.slot_of = list(range(count))

    def initialise(self, generator: torch.Generator) -> None:
        """Draw A, and full inner matrices, as LoRA's Kaiming-uniform; B is 0, a diagonal 1."""
        self.B.data.zero_()
        inner = [x for x in (self.C0, self.preference_scale, *self.C) if x is not None]
        for x in (self.A, *inner):
            if self.diagonal and x is not self.A:
                x.data.fill_(1.0)
            else:
                draw = torch.rand(x.shape, generator=generator, dtype=torch.float32)
                x.data.copy_((2 * draw - 1) / math.sqrt(x.shape[1]))

    @property
    def count(self) -> int:
        """Number of banks."""
        return len(self.slot_of)

    def shared(self) -> dict[str, nn.Parameter]:
        """Outer factors, the part that is always on, and a diagonal's scale of the preference."""
        inner = {"C0": self.C0, "preference_scale": self.preference_scale}
        return {"A": self.A, "B": self.B} | {k: x for k, x in inner.items() if x is not None}

    def parts(self, bank: int) -> dict[str, nn.Parameter]:
        """Inner matrix of one bank; a diagonal has none of its own."""
        return {} if self.diagonal else {"C": self.C[bank]}

    def alone(self, bank: int) -> list[nn.Parameter]:
        """Refuse: a bank cannot change alone."""
        raise UsageError(
            f"bank {bank}: tied banks share their factors, so none can be trained alone; "
            "train them together on policy.parameters()"
        )

    def keep(self, banks: Sequence[int]) -> None:
        """Drop every bank but these, in this order."""
        if not self.diagonal:
            self.C = nn.ParameterList([self.C[i] for i in banks])
        self.slot_of = [self.slot_of[i] for i in banks]

    @torch.no_grad()
    def fix(self, a: Tensor, b: Tensor, inner: Tensor) -> list[nn.Parameter]:
        """Fill the slots that are always on, and leave them out of training.

        `a` is (r0, in), `b` (out, r0) and `inner` (r0, r0), or (r0,) on a diagonal. Returns the
        parameters of the other slots; of A and B, gradients of the filled slots are 0.
        """
        assert self.C0 is not None
        r0 = self.always_on
        self.A[:r0], self.B[:, :r0] = a, b
        self.C0.copy_(inner)
        free = torch.ones(r0 + self.rank, device=self.A.device)
        free[:r0] = 0
        for factor, mask in ((self.A, free.unsqueeze(1)), (self.B, free)):
            factor.register_hook(  # type: ignore[no-untyped-call]
                lambda gradient, mask=mask: gradient * mask.to(gradient)
            )
        return [*(x for name, x in self.shared().items() if name != "C0"), *self.C]

    def inner(self, coefficients: Tensor) -> Tensor:
        """C of every coefficient row (rows, banks): (rows, slots, slots), or its diagonal."""
        c = coefficients.to(self.A.dtype)
        if self.preference_scale is not None:
            slots = torch.tensor(self.slot_of, device=c.device)
            mixed = c.new_zeros(len(c), self.rank).index_add(1, slots, c * self.preference_scale)
            if self.C0 is None:
                return mixed
            return torch.cat([self.C0.expand(len(c), -1), mixed], dim=1)
        mixed = torch.einsum("nk,kij->nij", c, torch.stack([*self.C]))
        if self.C0 is None:
            return mixed
        whole = c.new_zeros(len(c), *[self.always_on + self.rank] * 2)
        whole[:, : self.always_on, : self.always_on] = self.C0
        whole[:, self.always_on :, self.always_on :] = mixed
        return whole

    def factors(self, coefficients: Tensor) -> tuple[Tensor, Tensor]:
        """Factors (slots, in) and (out, slots) of the change under one row (banks,)."""
        (c,) = self.inner(coefficients.to(self.A.device).unsqueeze(0))
        return self.A, self.scale * (self.B * c if self.diagonal else self.B @ c)

    def change(self, x: Tensor) -> Tensor:
        """Map (rows, T, in) to the change (rows, T, out) under the active coefficients."""
        c = self.inner(self.active.rows(self.count))
        hidden = x.to(self.A.dtype) @ self.A.T  # (rows, T, slots)
        hidden = hidden * c.unsqueeze(1) if self.diagonal else hidden @ c.mT
        return self.scale * (hidden @ self.B.T)
