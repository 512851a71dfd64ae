"""Virtual tokens before a text that change with the banks."""

from __future__ import annotations

import torch
from torch import Tensor

from paretosteer.policies.banks import BankedTable


class BankedPrefix(BankedTable):
    """Virtual tokens (tokens, width): a frozen common start, and what every bank adds to it."""

    @property
    def tokens(self) -> int:
        """Number of virtual tokens."""
        return len(self.base)

    def virtual(self) -> Tensor | None:
        """Virtual tokens (rows, tokens, width) under the active banks; None with banks off."""
        changes, active = torch.stack(list(self.deltas)), self.active  # (banks, tokens, width)
        if active.index is not None:
            return self.base + changes[active.index]
        if active.coefficients is None:
            return None
        rows = active.coefficients.to(changes.dtype)
        return self.base + torch.einsum("rb,btw->rtw", rows, changes)
