"""Conditioning of policies on preferences, with its parts for each kind of model.

A method names a conditioning, and a policy asks it for the parts that its model has room for. A
kind of your own subclasses `Conditioning` (or one of those below) and overrides the parts that it
brings to a model: the layers that carry banks, and a small network that reads a feature vector. A
part that makes no sense in some model raises UnsupportedError with the reason; that happens when a
policy is built, before any training.

Kinds are registered by name, as entry points `paretosteer.conditionings` or in the table
`paretosteer_plugins["conditionings"]` of a plug-in file. A registered kind defines `of` and
`steered_by`, by which methods build and steer it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, ClassVar, Literal

import torch
from torch import Tensor, nn

from paretosteer.errors import UnsupportedError, UsageError
from paretosteer.policies.active_banks import ActiveBanks, Layout
from paretosteer.policies.banked_prefix import BankedPrefix
from paretosteer.policies.banks import BankedLinear, BankedTable, LinearBanks
from paretosteer.policies.control import Control, Kind
from paretosteer.policies.readers import ShiftReader, SoftPrompt, TableReader
from paretosteer.policies.tied_banks import TiedLinear
from paretosteer.runtime.terminal import plural

Scope = Literal["all", "attention", "qkv", "head"]
Merge = Literal["sum", "factors"]


class Conditioning:
    """Trainable parts of a policy, and how they use a control row. The base class has none.

    Attributes
    ----------
    version
        Raised when the same options give another policy. Of a plug-in it is part of a cell's
        identity.
    steered_by
        Kind of the controls that steer it.
    replaces_start
        Whether features give the outputs of a network or table in place of the start model's,
        instead of a change of them.

    """

    version: ClassVar[str] = "1"
    steered_by: ClassVar[Kind] = "start"
    replaces_start: bool = False
    merge: Merge = "sum"
    dropout: float = 0.0  # share of their inputs that low-rank banks drop in training passes

    @classmethod
    def of(cls, size: int, options: Any) -> Conditioning:
        """Build it from a method's options, for `size` coefficients or features per control row."""
        raise NotImplementedError

    def bank_scope(self) -> Scope | None:
        """Layers that carry banks; None for no banks."""
        return None

    def linear(self, base: nn.Module, active: ActiveBanks) -> LinearBanks:
        """Banks around one linear layer of the scope."""
        raise UnsupportedError(f"{type(self).__name__} has no banks for a linear layer")

    def table(self, base: Tensor, active: ActiveBanks) -> BankedTable:
        """Banks around a table (entries, width)."""
        return BankedTable(base, 0, active)

    def text_reader(self, embedding: Tensor, generator: torch.Generator) -> nn.Module | None:
        """Module from features (rows, size) to virtual tokens (rows, tokens, width) before a text.

        `embedding` (vocabulary, width) is the model's. The module states its count as `tokens`.
        """
        return None

    def text_prefix(self, embedding: Tensor, active: ActiveBanks) -> BankedPrefix | None:
        """Virtual tokens before a text that change with the banks, made from the embedding."""
        return None

    def network_reader(self, widths: Sequence[int], generator: torch.Generator) -> nn.Module | None:
        """Module from features (rows, size) to one shift (rows, 1, width) per hidden layer."""
        return None

    def own_network(self, start: nn.Module, generator: torch.Generator) -> nn.Module | None:
        """Trainable network beside a start network, which then has neither banks nor shifts.

        It maps inputs (rows, items, in), features (rows, size) and a mask (rows, items) to outputs
        (rows, items, out).
        """
        return None

    def table_reader(self, base: Tensor, generator: torch.Generator) -> nn.Module | None:
        """Module from features (rows, size) to a change (rows, entries * width) of the table."""
        return None

    def bank_weights(self, control: Control, device: torch.device) -> dict[str, Tensor | None]:
        """Arguments of `ActiveBanks.set`; with words or features every bank is on."""
        if control.kind == "start":
            return {}
        if control.kind == "soup":
            return {"coefficients": control.values}
        if control.kind == "bank":
            return {"index": control.values}
        return {"coefficients": torch.ones(control.rows, 1, device=device)}


@dataclass(frozen=True)
class Unconditioned(Conditioning):
    """Start policy, nothing trainable."""

    @classmethod
    def of(cls, size: int, options: Any) -> Conditioning:
        """Without options."""
        return cls()


@dataclass(frozen=True)
class Banks(Conditioning):
    """`count` trainable changes of the start model, mixed by one coefficient per row and bank.

    Parameters
    ----------
    count
        Number of banks.
    rank, alpha
        Of low-rank banks in linear layers, for all banks or one for each; a bank's scale is
        alpha / rank. Tables have full-rank banks of scale 1.
    scope
        Layers that carry them: all linear layers but the output head, the attention layers, only
        those that compute queries, keys and values, or the head.
    merge
        `factors` averages the low-rank factors themselves, which is not the sum of the deltas: only
        to reproduce released code that does so.
    dropout
        Share of their inputs that low-rank banks drop in training passes.
    trainable_scale
        Whether the scale of every bank and layer is trained too.

    """

    steered_by: ClassVar[Kind] = "soup"

    count: int
    rank: int | tuple[int, ...]
    alpha: float | tuple[float, ...]
    scope: Scope = "all"
    merge: Merge = "sum"
    dropout: float = 0.0
    trainable_scale: bool = False

    @classmethod
    def of(cls, size: int, options: Any) -> Conditioning:
        """`size` banks with the rank, alpha and dropout of the options."""
        return cls(size, options.rank, options.alpha, dropout=options.dropout)

    def __post_init__(self) -> None:
        for name, each in (("rank", self.rank), ("alpha", self.alpha)):
            if isinstance(each, tuple) and len(each) != self.count:
                raise UsageError(
                    f"{name}: found {plural(len(each), 'value')} for {plural(self.count, 'bank')}; "
                    "give one each"
                )
        if self.merge == "factors" and (len(set(self.layout)) > 1 or self.trainable_scale):
            raise UsageError(
                "merge: factors of banks with different ranks or scales have no average; "
                "set merge=sum, or give all banks one fixed rank and alpha"
            )

    @property
    def layout(self) -> Layout:
        """(rank, scale) of each bank."""
        ranks = self.rank if isinstance(self.rank, tuple) else (self.rank,) * self.count
        alphas = self.alpha if isinstance(self.alpha, tuple) else (self.alpha,) * self.count
        return tuple((r, alpha / r) for r, alpha in zip(ranks, alphas, strict=True))

    def bank_scope(self) -> Scope:
        """As chosen."""
        return self.scope

    def linear(self, base: nn.Module, active: ActiveBanks) -> LinearBanks:
        """Low-rank banks."""
        return BankedLinear(base, self.layout, active, self.trainable_scale)

    def table(self, base: Tensor, active: ActiveBanks) -> BankedTable:
        """Full-rank banks."""
        if self.scope != "all":
            raise UnsupportedError(f"a table of logits has no {self.scope} layers to adapt")
        if self.merge == "factors":
            raise UnsupportedError(
                "the banks of a table are full-rank: there are no factors to average"
            )
        if self.trainable_scale or isinstance(self.rank, tuple) or isinstance(self.alpha, tuple):
            raise UnsupportedError(
                "the banks of a table are full-rank: there are no ranks or scales to set"
            )
        return BankedTable(base, self.count, active)


@dataclass(frozen=True)
class Mixture(Banks):
    """Banks whose policies are mixed by their log-probabilities at every token.

    log pi = sum_k c_k log pi_k - const over the start policy and the banks, steered by
    `Control.mixture` with any weights c. A bank trains alone under `Control.bank`. One forward pass
    is needed for each participant with a weight.
    """

    steered_by = "mixture"


@dataclass(frozen=True)
class TiedBanks(Conditioning):
    """Banks that share their outer factors: Delta(c) = s B C(c) A with C affine in c.

    C(c) = blockdiag(C_0, sum_k c_k C_k), s = alpha / rank. The delta of bank k is that of c = e_k,
    so on the simplex Delta(mu) = sum_k mu_k Delta(e_k). Steered by `Control.soup`.

    Parameters
    ----------
    count
        Number of banks.
    rank
        Slots of the part that the coefficients mix.
    alpha
        Scale, times 1 / rank.
    always_on
        Slots of the part C_0 that is on whatever the coefficients.
    mixing
        `full`: C_0 and every C_k are matrices, as PBLoRA's (arXiv 2505.06274). `diagonal`: C_0 is
        diagonal, and every C_k has the same trainable number, one for each layer, at slot k, as
        Panacea's scale of the preference (arXiv 2402.02030); rank must then equal count.
    scope, dropout
        As those of `Banks`.

    """

    steered_by = "soup"

    count: int
    rank: int
    alpha: float
    always_on: int = 0
    mixing: Literal["full", "diagonal"] = "full"
    scope: Scope = "all"
    dropout: float = 0.0

    @classmethod
    def of(cls, size: int, options: Any) -> Conditioning:
        """`size` banks with the rank, alpha and dropout of the options."""
        return cls(size, options.rank, options.alpha, dropout=options.dropout)

    def __post_init__(self) -> None:
        if self.mixing == "diagonal" and self.rank != self.count:
            raise UsageError(
                f"rank: found {self.rank}, but mixing=diagonal has one slot for each of "
                f"{self.count} banks; set rank={self.count}"
            )

    def bank_scope(self) -> Scope:
        """As chosen."""
        return self.scope

    def linear(self, base: nn.Module, active: ActiveBanks) -> LinearBanks:
        """Tied banks."""
        shape = (self.count, self.rank, self.always_on)
        return TiedLinear(base, *shape, self.alpha / self.rank, self.mixing == "diagonal", active)

    def table(self, base: Tensor, active: ActiveBanks) -> BankedTable:
        """Refuse: a table has no factors."""
        raise UnsupportedError("the banks of a table are full-rank: there are no factors to tie")


@dataclass(frozen=True)
class PromptText(Conditioning):
    """Preference written before the prompt; one bank, always on, learns to read it."""

    steered_by = "text"

    rank: int
    alpha: float
    dropout: float = 0.0

    @classmethod
    def of(cls, size: int, options: Any) -> Conditioning:
        """With the rank, alpha and dropout of the options."""
        return cls(options.rank, options.alpha, options.dropout)

    def bank_scope(self) -> Scope | None:
        """All layers, with a rank."""
        return "all" if self.rank else None

    def linear(self, base: nn.Module, active: ActiveBanks) -> LinearBanks:
        """One bank."""
        return BankedLinear(base, [(self.rank, self.alpha / self.rank)], active)

    def network_reader(self, widths: Sequence[int], generator: torch.Generator) -> nn.Module | None:
        """Refuse: words need a text."""
        raise UnsupportedError(
            "this benchmark has no text prompt to which a preference could be added"
        )

    def table(self, base: Tensor, active: ActiveBanks) -> BankedTable:
        """Refuse: words need a text."""
        raise UnsupportedError(
            "this benchmark has no text prompt to which a preference could be added"
        )


@dataclass(frozen=True)
class Features(Conditioning):
    """Preference as a vector of `size` numbers, read by a small network.

    Rankers and small networks take it beside their inputs. A language model gets `tokens` soft
    prompt vectors made from it; with `rank` > 0 one bank, always on, is trained along.
    """

    steered_by = "features"

    size: int
    tokens: int = 4
    hidden: int = 64
    rank: int = 0
    alpha: float = 0.0
    dropout: float = 0.0

    @classmethod
    def of(cls, size: int, options: Any) -> Conditioning:
        """With the options `tokens`, `hidden`, `rank`, `alpha` and `dropout`."""
        o = options
        return cls(size, o.tokens, o.hidden, o.rank, o.alpha, o.dropout)

    def bank_scope(self) -> Scope | None:
        """All layers, with a rank."""
        return "all" if self.rank else None

    def linear(self, base: nn.Module, active: ActiveBanks) -> LinearBanks:
        """One bank."""
        return BankedLinear(base, [(self.rank, self.alpha / self.rank)], active)

    def text_reader(self, embedding: Tensor, generator: torch.Generator) -> nn.Module | None:
        """Soft prompt vectors."""
        return SoftPrompt(self.size, self.tokens, self.hidden, embedding, generator)

    def network_reader(self, widths: Sequence[int], generator: torch.Generator) -> nn.Module | None:
        """Shifts beside the inputs of the hidden layers."""
        return ShiftReader(self.size, self.hidden, widths, generator)

    def table_reader(self, base: Tensor, generator: torch.Generator) -> nn.Module | None:
        """Change of the whole table."""
        return TableReader(self.size, self.hidden, base.numel(), generator)
