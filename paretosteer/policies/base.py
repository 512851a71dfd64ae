"""Common part of policies on a frozen start model: banks, a reader of features, their tensors."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager
from typing import Any, Generic, TypeVar

import torch
from torch import Tensor, nn

from paretosteer.errors import UsageError
from paretosteer.policies.active_banks import ActiveBanks
from paretosteer.policies.banked_prefix import BankedPrefix
from paretosteer.policies.banks import Banked
from paretosteer.policies.conditioning import Conditioning
from paretosteer.policies.control import Control

B = TypeVar("B", bound=Banked)


class Conditioned(Generic[B]):
    """Trainable part of a policy: banked layers by name, and a reader of feature vectors.

    The start model itself is never changed: with the banks off its exact outputs come back, so no
    second copy is held for KL terms.
    """

    def __init__(self, conditioning: Conditioning, seed: int) -> None:
        self.conditioning = conditioning
        self.active = ActiveBanks(conditioning.merge, conditioning.dropout, seed)
        self.layers: dict[str, B] = {}
        self.reader: nn.Module | None = None
        self.prefix: BankedPrefix | None = None  # virtual tokens before a text

    def mixed(self, control: Control, rows: Tensor | None = None) -> AbstractContextManager[None]:
        """Set the banks to this control, or to these rows (n,) of it, for one forward pass."""
        if rows is not None:
            control = control.take(rows)
        if not self.layers:
            return self.active.set()
        device = next(iter(self.parameters())).device
        return self.active.set(**self.conditioning.bank_weights(control, device))

    def read(self, control: Control) -> Any:
        """Output of the reader for a control of features; None for every other."""
        if control.kind != "features":
            return None
        if self.reader is None:
            kind = type(self.conditioning).__name__
            raise UsageError(f"control: found features, but {kind} reads none; use another control")
        return self.reader(control.values)

    @property
    def _banked(self) -> dict[str, Banked]:
        """Everything that carries banks, by name."""
        return dict(self.layers) | ({} if self.prefix is None else {"prefix": self.prefix})

    def row_bytes(self, prompts: Sequence[Any]) -> int:
        """Negligible by default; policies of large models override it."""
        return 0

    def parameters(self, bank: int | None = None) -> list[nn.Parameter]:
        """All trainable parameters, or those of one bank."""
        if bank is not None:
            return [x for layer in self._banked.values() for x in layer.alone(bank)]
        read = list(self.reader.parameters()) if self.reader else []
        shared = [x for layer in self._banked.values() for x in layer.shared().values()]
        banks = [
            x
            for layer in self._banked.values()
            for i in range(layer.count)
            for x in layer.parts(i).values()
        ]
        return read + shared + banks

    def dropout_state(self) -> Tensor | None:
        """State of dropout's generator; None before its first draw."""
        return self.active.dropout_state()

    def set_dropout_state(self, state: Tensor | None) -> None:
        """Restore what `dropout_state` returned."""
        if state is not None or self.active.dropout:
            self.active.set_dropout_state(state, next(iter(self.parameters())).device)

    def keep_banks(self, banks: Sequence[int]) -> None:
        """Drop every bank but these, in this order."""
        for layer in self._banked.values():
            layer.keep(banks)

    def state(self) -> dict[str, Tensor]:
        """Trainable tensors by name, without those of the start model."""
        read = self.reader.state_dict() if self.reader else {}
        state = {f"reader.{name}": value.detach() for name, value in read.items()}
        for name, layer in self._banked.items():
            for part, value in layer.shared().items():
                state[f"shared.{name}.{part}"] = value.detach()
            for i in range(layer.count):
                for part, value in layer.parts(i).items():
                    state[f"banks.{i}.{name}.{part}"] = value.detach()
        return {key: value.contiguous() for key, value in state.items()}

    @torch.no_grad()
    def load_state(self, state: Mapping[str, Tensor]) -> None:
        """Restore what `state` returned; UsageError where names or shapes differ."""
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

    def initialise_banks(self, generator: torch.Generator) -> None:
        """Initialise every bank so that each change starts at zero."""
        for layer in self._banked.values():
            layer.initialise(generator)
