"""Weights with the lowest validation loss of a training run."""

from __future__ import annotations

import math
from typing import Any

import torch

from paretosteer.training.snapshots import Snapshot


class BestWeights:
    """Copy of a network's weights from the step with the lowest validation loss so far.

    Its `snapshot` is a part of the snapshot of a training run.
    """

    def __init__(self, network: Any):
        self._network = network
        self.lowest, self._step = math.inf, 0
        self._weights: dict[str, torch.Tensor] = {}

    def offer(self, step: int, loss: float) -> None:
        """Copy the current weights if they are the best so far."""
        if loss < self.lowest:
            weights = self._network.state_dict().items()
            self.lowest, self._step = loss, step
            self._weights = {name: value.detach().cpu().clone() for name, value in weights}

    def load(self, last: int) -> int:
        """Load the best weights and return their step; without any, return the `last` step."""
        if not self._weights:
            return last
        self._network.load_state_dict(self._weights)
        return self._step

    def snapshot(self) -> Snapshot:
        """Best weights so far, with their loss and step."""
        weights = {f"best.{name}": value for name, value in self._weights.items()}
        # JSON has no infinity.
        return weights, {"best": [self.lowest, self._step] if weights else None}

    def restore(self, tensors: dict[str, torch.Tensor], state: dict[str, Any]) -> None:
        """Restore what `snapshot` returned."""
        if state["best"]:
            self.lowest, self._step = state["best"]
        self._weights = {
            name.removeprefix("best."): value
            for name, value in tensors.items()
            if name.startswith("best.")
        }
