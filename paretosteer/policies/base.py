"""What every policy on a frozen start model shares: banks, a reader of features, their tensors."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager
from typing import Any, Generic, TypeVar

import torch
from torch import Tensor, nn

from paretosteer.errors import UnsupportedError, UsageError
from paretosteer.policies.banks import Banked, BankedLinear, Mixture
from paretosteer.policies.conditioning import Banks, Conditioning, PromptText, Unconditioned
from paretosteer.policies.control import Control

B = TypeVar("B", bound=Banked)


def refuse_words(conditioning: Conditioning) -> None:
    """UnsupportedError for a preference in words, in a world without text."""
    if isinstance(conditioning, PromptText):
        raise UnsupportedError("this world has no prompt in which to write a preference")


class Conditioned(Generic[B]):
    """The trainable part of a policy: banked layers by name, and what reads a feature vector.

    The start model itself is never changed: with the banks off its exact outputs come back, so no
    second copy is held for KL terms.
    """

    def __init__(self) -> None:
        self.mixture = Mixture()
        self.layers: dict[str, B] = {}
        self.reader: nn.Module | None = None

    def mixed(self, control: Control) -> AbstractContextManager[None]:
        """The banks under this control, for one forward pass."""
        if control.kind == "soup":
            return self.mixture.set(coefficients=control.values)
        if control.kind == "bank":
            return self.mixture.set(index=control.values)
        if control.kind in {"text", "features"} and self.layers:
            device = next(iter(self.parameters())).device
            return self.mixture.set(coefficients=torch.ones(control.rows, 1, device=device))
        return self.mixture.set()

    def row_bytes(self, prompts: Sequence[Any]) -> int:
        """Nothing worth counting, unless a world's policy says otherwise."""
        return 0

    def parameters(self, bank: int | None = None) -> list[nn.Parameter]:
        """Everything trainable, or one bank of it."""
        if bank is not None:
            return [x for layer in self.layers.values() for x in layer.parts(bank).values()]
        read = list(self.reader.parameters()) if self.reader else []
        banks = [
            x
            for layer in self.layers.values()
            for i in range(layer.count)
            for x in layer.parts(i).values()
        ]
        return read + banks

    def dropout_state(self) -> Tensor | None:
        """State of what dropout draws from; None where it drew nothing yet."""
        return self.mixture.dropout_state()

    def set_dropout_state(self, state: Tensor | None) -> None:
        """Drop again as after `dropout_state`."""
        if state is not None or self.mixture.dropout:
            self.mixture.set_dropout_state(state, next(iter(self.parameters())).device)

    def keep_banks(self, banks: Sequence[int]) -> None:
        """Drop every bank but these, in this order."""
        for layer in self.layers.values():
            layer.keep(banks)

    def state(self) -> dict[str, Tensor]:
        """The trainable tensors by name; nothing of the start model."""
        read = self.reader.state_dict() if self.reader else {}
        state = {f"reader.{name}": value.detach() for name, value in read.items()}
        for name, layer in self.layers.items():
            for i in range(layer.count):
                for part, value in layer.parts(i).items():
                    state[f"banks.{i}.{name}.{part}"] = value.detach()
        return {key: value.contiguous() for key, value in state.items()}

    @torch.no_grad()
    def load_state(self, state: Mapping[str, Tensor]) -> None:
        """Take back what `state` gave; UsageError where names or shapes differ."""
        own = self.state()
        differing = sorted(own.keys() ^ state.keys()) or sorted(
            key for key in own if own[key].shape != state[key].shape
        )
        if differing:
            raise UsageError(
                f"checkpoint: {len(differing)} tensors do not fit this policy, first "
                f"{differing[0]!r}; load it with the configuration that it was trained with"
            )
        for key, value in own.items():
            value.copy_(state[key])

    def set_mixture(self, conditioning: Conditioning, seed: int) -> None:
        """Take over how the banks are mixed and trained; `seed` is that of what dropout draws."""
        if isinstance(conditioning, Banks):
            self.mixture.merge = conditioning.merge
        if not isinstance(conditioning, Unconditioned):
            self.mixture.dropout, self.mixture.seed = conditioning.dropout, seed

    def initialise_banks(self, generator: torch.Generator) -> None:
        """Draw the factors of every low-rank bank; full-rank banks begin at zero as they are."""
        for layer in self.layers.values():
            if isinstance(layer, BankedLinear):
                layer.initialise(generator)
