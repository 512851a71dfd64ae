"""Plain prompt tuning: banks with virtual tokens before a text, which each bank changes."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

import torch
from torch import Tensor, nn

from paretosteer.errors import UnsupportedError
from paretosteer.policies.active_banks import ActiveBanks
from paretosteer.policies.banked_prefix import BankedPrefix
from paretosteer.policies.banks import BankedTable
from paretosteer.policies.conditioning import Banks


@dataclass(frozen=True)
class PromptTuning(Banks):
    """Banks with `tokens` virtual tokens before a text, trained and mixed along with them.

    All banks start from the same virtual tokens, which have the mean and spread of real ones.
    """

    tokens: int = 8

    def text_prefix(self, embedding: Tensor, active: ActiveBanks) -> BankedPrefix:
        """Virtual tokens; their start does not depend on the seed, so it need not be stored."""
        table = embedding.float()  # (vocabulary, width)
        draw = torch.randn(
            (self.tokens, table.shape[1]), generator=torch.Generator().manual_seed(0)
        )
        start = table.mean(dim=0) + table.std() * draw.to(table.device)
        return BankedPrefix(start.detach(), self.count, active)

    def own_network(self, start: nn.Module, generator: torch.Generator) -> nn.Module | None:
        """Refuse: virtual tokens need a text."""
        raise UnsupportedError("this benchmark has no text, so it cannot use virtual tokens")

    def table(self, base: Tensor, active: ActiveBanks) -> BankedTable:
        """Refuse: virtual tokens need a text."""
        raise UnsupportedError("this benchmark has no text, so it cannot use virtual tokens")


def prompt_tuning(tokens: int) -> Callable[..., Banks]:
    """Constructor of banks with this many virtual tokens; of plain banks for 0."""
    return partial(PromptTuning, tokens=tokens) if tokens else Banks
