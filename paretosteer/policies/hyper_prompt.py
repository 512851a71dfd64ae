"""Conditioning of COS-DPO (arXiv 2410.08316): a masked prefix before text, inputs of a network."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

import torch
from torch import Tensor, nn

from paretosteer.config.options import BaseOptions, option
from paretosteer.policies.conditioning import Features
from paretosteer.policies.perceptron import Perceptron
from paretosteer.policies.readers import linear

_HYPER_PROMPT = {"condition": ("hyper_prompt", "none")}  # none has the same parts
_BANKS = {"condition": ("banks", "tied_banks", "mixture", "shifts")}


class HyperPromptOptions(BaseOptions):
    """Options of the conditioning, for methods with an option `condition`."""

    form: Literal["scratch", "augment"] | None = option(
        None,
        "without text: a separate network, or one added to the start model; null: scratch, "
        "or augment for variant=temperature and for reward feedback",
        only=_HYPER_PROMPT,
    )
    tokens: int = option(8, "virtual tokens before a text", least=1, unless=_BANKS)
    mask_rank: int = option(4, "rank of the mask over the prefix", least=1, only=_HYPER_PROMPT)
    hidden: int = option(
        64, "width of the hidden layers that read the weights", least=1, unless=_BANKS
    )
    layers: int | None = option(
        None,
        "hidden layers of a network without text; null: 2, or 5 for variant=temperature",
        least=1,
        only=_HYPER_PROMPT,
    )


class MaskedPrefix(nn.Module):
    """Features (rows, size) to virtual tokens (rows, tokens, width): a prefix times a mask.

    Two networks of one hidden layer turn the features into matrices (tokens, rank) and (rank,
    width). Their product is the mask, which multiplies a trainable prefix entry by entry. The
    prefix starts among the vectors of the real tokens, the mask around 1.
    """

    def __init__(
        self,
        size: int,
        tokens: int,
        rank: int,
        hidden: int,
        embedding: Tensor,
        generator: torch.Generator,
    ):
        super().__init__()
        self.tokens, self.rank = tokens, rank
        table = embedding.float()  # (vocabulary, width)
        draw = torch.randn((tokens, table.shape[1]), generator=generator)
        self.prefix = nn.Parameter(table.mean(dim=0).cpu() + table.std().cpu() * draw)
        self.rows = _network(size, hidden, tokens * rank, rank, generator)
        self.columns = _network(size, hidden, rank * table.shape[1], rank, generator)

    def forward(self, features: Tensor) -> Tensor:
        """Virtual tokens, (rows, tokens, width)."""
        left = self.rows(features).view(len(features), self.tokens, self.rank)
        right = self.columns(features).view(len(features), self.rank, -1)
        masked: Tensor = (left @ right) * self.prefix
        return masked


class BesideInputs(nn.Module):
    """A network of its own, which reads the features beside the inputs of its first layer."""

    def __init__(
        self, start: Perceptron, size: int, layers: int, hidden: int, generator: torch.Generator
    ):
        super().__init__()
        widths = [start.widths[0] + size, *[hidden] * layers, start.widths[-1]]
        self.network = Perceptron(widths, attention=start.attention is not None)
        self.network.initialise(generator)

    def forward(self, x: Tensor, features: Tensor, mask: Tensor | None) -> Tensor:
        """Map (rows, items, in) and (rows, size) to (rows, items, out)."""
        beside = features.unsqueeze(1).expand(-1, x.shape[1], -1)
        out: Tensor = self.network(torch.cat([x, beside], dim=-1), mask)
        return out


@dataclass(frozen=True)
class HyperPrompt(Features):
    """Preference as numbers: they mask a prefix before a text, or enter a network of their own.

    In a language model (Hyper Prompt Tuning) two small networks make the mask, and one bank, always
    on, is trained along. Rankers, small networks and tables get a trainable network that reads the
    features beside its inputs: its outputs replace those of the start model (`replaces_start`) or
    are added to them.
    """

    mask_rank: int = 4
    layers: int = 2
    replaces_start: bool = True

    @classmethod
    def of(cls, size: int, options: Any) -> HyperPrompt:
        """With the options of `Features`, `mask_rank`, `layers` and `form`."""
        o = options
        prompt, bank = (o.tokens, o.hidden), (o.rank, o.alpha, o.dropout)
        return cls(size, *prompt, *bank, o.mask_rank, o.layers, o.form == "scratch")

    def text_reader(self, embedding: Tensor, generator: torch.Generator) -> nn.Module:
        """Masked prefix."""
        return MaskedPrefix(
            self.size, self.tokens, self.mask_rank, self.hidden, embedding, generator
        )

    def own_network(self, start: nn.Module, generator: torch.Generator) -> nn.Module:
        """Network beside the start model's; as a change of it, it starts at 0."""
        assert isinstance(start, Perceptron)
        own = BesideInputs(start, self.size, self.layers, self.hidden, generator)
        if not self.replaces_start:
            last = own.network.linear[-1]
            assert isinstance(last, nn.Linear)
            last.weight.data.zero_()
        return own


def _network(
    size: int, hidden: int, outputs: int, rank: int, generator: torch.Generator
) -> nn.Sequential:
    """Features (rows, size) to one factor of the mask, which starts near rank^-1/2."""
    read, write = linear(size, hidden), linear(hidden, outputs)
    for layer in (read, write):
        draw = torch.randn(layer.weight.shape, generator=generator)
        layer.weight.data.copy_(draw / layer.in_features**0.5)
    read.bias.data.zero_()
    write.bias.data.fill_(rank**-0.5)
    return nn.Sequential(read, nn.Tanh(), write)
