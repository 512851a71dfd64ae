"""One phase of training as it stands: what is trained by which feedback, and how far it is.

Its snapshot holds everything that the rest of the phase depends on, so that a phase which is taken
up again ends in the same tensors, to the bit.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.nn import Parameter

from paretosteer.feedback import Feedback
from paretosteer.interfaces import Dropping, Policy


@dataclass
class Phase:
    """What `Trainer.fit` is doing.

    `done` of `steps` optimiser steps are taken; the last `collapsed` batches had no entropy left.
    """

    name: str
    policy: Policy
    feedback: Feedback
    parameters: Sequence[Parameter]
    optimiser: torch.optim.Optimizer
    rng: np.random.Generator
    steps: int
    done: int = field(default=0, init=False)
    collapsed: int = field(default=0, init=False)

    @property
    def finished(self) -> bool:
        """Whether all steps are taken."""
        return self.done >= self.steps

    def randomness(self) -> dict[str, Any]:
        """The state, as JSON, of what training draws from in this process.

        That is the phase's own stream, the order of prompts, dropout, and torch's generators.
        """
        dropout = self.policy.dropout_state() if isinstance(self.policy, Dropping) else None
        return {
            "rng": self.rng.bit_generator.state,
            "feedback": self.feedback.state(),
            "dropout": None if dropout is None else _text(dropout),
            "torch": _text(torch.get_rng_state()),
            "cuda": _text(torch.cuda.get_rng_state(self._gpu)) if self._gpu else None,
        }

    def set_randomness(self, state: dict[str, Any]) -> None:
        """Draw again as after `randomness`."""
        self.rng.bit_generator.state = state["rng"]
        self.feedback.load_state(state["feedback"])
        dropout = state["dropout"]
        if isinstance(self.policy, Dropping):
            self.policy.set_dropout_state(None if dropout is None else _bytes(dropout))
        torch.set_rng_state(_bytes(state["torch"]))
        if self._gpu and state["cuda"]:
            torch.cuda.set_rng_state(_bytes(state["cuda"]), self._gpu)

    @property
    def _gpu(self) -> torch.device | None:
        devices = (parameter.device for parameter in self.parameters)
        return next((device for device in devices if device.type == "cuda"), None)

    def snapshot(self) -> tuple[dict[str, Tensor], dict[str, Any]]:
        """Tensors by name, and the rest as JSON; randomness is each process's own and not in it."""
        tensors = {f"parameter.{i}": p.detach() for i, p in enumerate(self.parameters)}
        optimiser = self.optimiser.state_dict()
        rest: dict[str, dict[str, Any]] = {}
        for i, slots in optimiser["state"].items():
            rest[str(i)] = {}
            for name, value in slots.items():
                if isinstance(value, Tensor):
                    tensors[f"optimiser.{i}.{name}"] = value
                else:
                    rest[str(i)][name] = value
        return tensors, {
            "phase": self.name,
            "steps": self.steps,
            "done": self.done,
            "collapsed": self.collapsed,
            "optimiser": {"state": rest, "groups": optimiser["param_groups"]},
        }

    @torch.no_grad()
    def restore(self, tensors: dict[str, Tensor], state: dict[str, Any]) -> None:
        """Be as when `snapshot` gave these."""
        for i, parameter in enumerate(self.parameters):
            parameter.copy_(tensors[f"parameter.{i}"])
        slots: dict[int, dict[str, Any]] = {
            int(i): dict(values) for i, values in state["optimiser"]["state"].items()
        }
        for key, value in tensors.items():
            kind, slot, *name = key.split(".")
            if kind == "optimiser":
                slots[int(slot)][".".join(name)] = value
        self.optimiser.load_state_dict(
            {"state": slots, "param_groups": state["optimiser"]["groups"]}
        )
        self.done, self.collapsed = state["done"], state["collapsed"]


def _text(state: Tensor) -> str:
    return state.numpy().tobytes().hex()


def _bytes(text: str) -> Tensor:
    return torch.frombuffer(bytearray.fromhex(text), dtype=torch.uint8)
