"""How a policy takes a preference. A method names one; each world builds it its own way."""

from dataclasses import dataclass
from typing import Literal

Scope = Literal["all", "attention", "head"]


@dataclass(frozen=True)
class Banks:
    """`count` trainable changes of the start model, mixed by one coefficient per row and bank.

    Low-rank in networks (`rank`, scale `alpha / rank`), full-rank in tables. `scope` says which
    layers carry them: all linear layers but the output head, the attention layers, or the head.
    `merge="factors"` averages the low-rank factors themselves, which is not the sum of the deltas:
    kept only to reproduce released code that does so. `dropout` is the share of their inputs that
    low-rank banks do without in training passes.
    """

    count: int
    rank: int
    alpha: float
    scope: Scope = "all"
    merge: Literal["sum", "factors"] = "sum"
    dropout: float = 0.0


@dataclass(frozen=True)
class PromptText:
    """The preference written before the prompt; one bank, always on, learns to read it."""

    rank: int
    alpha: float
    dropout: float = 0.0


@dataclass(frozen=True)
class Features:
    """The preference as a vector of `size` numbers, read by a small network.

    Rankers and small networks take it beside their inputs. A language model gets `tokens` soft
    prompt vectors made from it; with `rank` > 0 one bank, always on, is trained along.
    """

    size: int
    tokens: int = 4
    hidden: int = 64
    rank: int = 0
    alpha: float = 0.0
    dropout: float = 0.0


@dataclass(frozen=True)
class Unconditioned:
    """The start policy, nothing trainable."""


Conditioning = Banks | PromptText | Features | Unconditioned
