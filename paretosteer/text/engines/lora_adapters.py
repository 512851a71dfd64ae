"""Adapters of a policy in a temporary folder: one for each coefficient row of its banks."""

from __future__ import annotations

from collections.abc import Sequence
from hashlib import sha256
from pathlib import Path
from tempfile import TemporaryDirectory

import torch
from torch import Tensor

from paretosteer.policies.control import Control
from paretosteer.storage.digest import digest
from paretosteer.text.policy import TextPolicy
from paretosteer.text.write_peft import write_adapter

Adapter = tuple[int, str]  # number and folder
Coefficients = tuple[float, ...]


class LoRAAdapters:
    """Writes each coefficient row once, as the exact export does, until the weights change.

    Numbers are never used twice, so an engine that keeps adapters by their numbers serves no old
    one. `close` removes the folder.
    """

    def __init__(self) -> None:
        self._folder = TemporaryDirectory(prefix="paretosteer-adapters-")
        self._weights = ""  # digest of those from which the adapters were made
        self._adapters: dict[Coefficients, Adapter | None] = {}
        self._made = 0

    @property
    def folder(self) -> str:
        """Folder that holds all of them."""
        return self._folder.name

    def close(self) -> None:
        """Remove the folder."""
        self._folder.cleanup()

    def outdated(self, policy: TextPolicy) -> list[int]:
        """Numbers of adapters to drop, as the weights or the policy have changed."""
        weights = _digest(policy)
        if weights == self._weights:
            return []
        dropped = [adapter for adapter in self._adapters.values() if adapter]
        self._weights, self._adapters = weights, {}
        for _, folder in dropped:
            for file in Path(folder).iterdir():
                file.unlink()
        return [number for number, _ in dropped]

    def of(self, policy: TextPolicy, row: Coefficients) -> Adapter | None:
        """Adapter of one coefficient row; None where the banks change nothing."""
        if row not in self._adapters:
            self._adapters[row] = self._write(policy, torch.tensor(row))
        return self._adapters[row]

    def _write(self, policy: TextPolicy, row: Tensor) -> Adapter | None:
        if rank(policy, row) == 0:
            return None
        self._made += 1
        folder = Path(self.folder) / str(self._made)
        write_adapter(policy, row, folder, base=policy.model.name)
        return self._made, str(folder)


def coefficient_rows(policy: TextPolicy, control: Control) -> list[Coefficients]:
    """Coefficients of the banks in each row of a control; () where they are off."""
    if control.kind == "start" or not policy.layers:
        return [()] * control.rows
    given = policy.conditioning.bank_weights(control, torch.device("cpu"))
    count = next(layer.count for layer in policy.layers.values())
    if (index := given.get("index")) is not None:
        rows = torch.eye(count)[index.cpu()]
    else:
        coefficients = given["coefficients"]
        assert coefficients is not None
        rows = coefficients.cpu()
    return [tuple(row) for row in rows.expand(control.rows, -1).tolist()]


@torch.no_grad()
def rank(policy: TextPolicy, row: Sequence[float] | Tensor) -> int:
    """Largest rank of a layer's change under one coefficient row (banks,)."""
    coefficients = torch.as_tensor(row)
    if not len(coefficients):
        return 0
    return max((len(layer.factors(coefficients)[0]) for layer in policy.layers.values()), default=0)


def largest_rank(policy: TextPolicy, control: Control) -> int:
    """Largest rank of a layer's change in any row of a control."""
    return max(rank(policy, row) for row in set(coefficient_rows(policy, control)))


def _digest(policy: TextPolicy) -> str:
    """Digest of every trained tensor, and of the layers that have banks."""
    whole = sha256()
    for name, tensor in policy.state().items():
        whole.update(f"{name} {tuple(tensor.shape)} ".encode())
        whole.update(tensor.float().cpu().numpy().tobytes())
    layouts = {name: getattr(layer, "layout", None) for name, layer in policy.layers.items()}
    return digest([whole.hexdigest(), str(layouts)])
