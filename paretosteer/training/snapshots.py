"""Snapshots from which a killed training run resumes: one of every phase, on disk.

A resumed run goes through its method's `train` once more. Phases that have finished
hand back their outcome instead of training, the one in progress continues where its snapshot is,
and what a method computes between them is computed again.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.nn import Parameter

from paretosteer.policies.protocols import Dropping, Policy
from paretosteer.storage.pieces import Pieces
from paretosteer.training.feedback import Feedback

Snapshot = tuple["dict[str, Tensor]", dict[str, Any]]


class Journal:
    """Snapshots of one training run.

    Parameters
    ----------
    folder
        Where they are kept; None keeps none.
    every
        Fewest seconds of training between two snapshots of a phase; 0 writes one after every step.
        Large models wait longer, so that writing takes about a twentieth of the time.
    owner
        Whether this process keeps the folder; others never look into it.
    say
        Takes one line to the user.

    """

    def __init__(
        self,
        folder: Path | None = None,
        every: float = 60.0,
        owner: bool = True,
        say: Callable[[str], None] = lambda line: None,
    ):
        self._files = None if folder is None else Pieces(folder, ".safetensors", say)
        self._every, self._owner = every, owner
        self._phase = -1  # the phase that trains now, in the order of the calls of `fit`
        self._kept = time.monotonic()

    def open(self, phase: Fitting) -> Path | None:
        """State in which an earlier run left the next phase; None if it did not reach it."""
        self._phase += 1
        self._kept = time.monotonic()
        if self._files is None or not self._owner:
            return None
        path = self._files.find(self._name())
        if path and _belongs(path, phase):
            return path
        if not phase.finished:  # later phases are trained again as well
            self._files.remove(lambda name: name >= self._name())
        return None

    def due(self, phase: Fitting) -> bool:
        """True if a snapshot is due: at the end of a phase, and at intervals before."""
        if self._files is None:
            return False
        return phase.finished or time.monotonic() - self._kept >= self._every

    def write(self, tensors: dict[str, Tensor], state: dict[str, Any]) -> None:
        """Write a snapshot that replaces the phase's older one."""
        from safetensors.torch import save

        assert self._files is not None  # else none was due
        began = time.monotonic()
        whole = {name: tensor.contiguous() for name, tensor in tensors.items()}
        self._files.write(self._name(), save(whole, metadata={"state": json.dumps(state)}))
        self._kept = time.monotonic()
        if self._every:
            self._every = max(self._every, 20 * (self._kept - began))

    def _name(self) -> str:
        return f"{self._phase:04d}"


def read_snapshot(path: Path) -> Snapshot:
    """Tensors of a snapshot, and the rest."""
    from safetensors import safe_open

    with safe_open(path, framework="pt") as stream:
        tensors = {key: stream.get_tensor(key) for key in stream.keys()}  # noqa: SIM118
        return tensors, json.loads(stream.metadata()["state"])


def steps_in(folder: Path) -> int:
    """Optimiser steps, over all phases, of the latest snapshot in a folder; 0 if there is none."""
    path = Pieces(folder, ".safetensors").last()
    return int(_state(path)["trainer"]["account"]["steps"]) if path else 0


def _belongs(path: Path, phase: Fitting) -> bool:
    state = _state(path)
    return bool(state["phase"] == phase.name and state["steps"] == phase.steps)


def _state(path: Path) -> dict[str, Any]:
    """Snapshot without its tensors."""
    from safetensors import safe_open

    with safe_open(path, framework="pt") as stream:
        state: dict[str, Any] = json.loads(stream.metadata()["state"])
        return state


@dataclass
class Fitting:
    """Progress of training some parameters: `done` of `steps` optimiser steps are taken."""

    name: str
    parameters: Sequence[Parameter]
    optimiser: torch.optim.Optimizer
    steps: int
    done: int = field(default=0, init=False)

    @property
    def finished(self) -> bool:
        """True if all steps were taken."""
        return self.done >= self.steps

    @property
    def gpu(self) -> torch.device | None:
        """GPU with parameters; None on the CPU."""
        devices = (parameter.device for parameter in self.parameters)
        return next((device for device in devices if device.type == "cuda"), None)

    def snapshot(self) -> Snapshot:
        """Tensors by name, and the rest as JSON."""
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
            "optimiser": {"state": rest, "groups": optimiser["param_groups"]},
        }

    @torch.no_grad()
    def restore(self, tensors: dict[str, Tensor], state: dict[str, Any]) -> None:
        """Restore what `snapshot` returned."""
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
        self.done = state["done"]


@dataclass
class Phase(Fitting):
    """Progress of `Trainer.fit`; the last `collapsed` batches had no entropy left."""

    policy: Policy
    feedback: Feedback
    rng: np.random.Generator
    lead: str | None  # figure that progress shows first
    collapsed: int = field(default=0, init=False)

    def randomness(self) -> dict[str, Any]:
        """State, as JSON, of what training draws from in this process.

        That is the phase's own stream, the order of prompts, dropout, and torch's generators.
        """
        dropout = self.policy.dropout_state() if isinstance(self.policy, Dropping) else None
        return {
            "rng": self.rng.bit_generator.state,
            "feedback": self.feedback.state(),
            "dropout": None if dropout is None else _text(dropout),
            **torch_randomness(self.gpu),
        }

    def set_randomness(self, state: dict[str, Any]) -> None:
        """Restore what `randomness` returned."""
        self.rng.bit_generator.state = state["rng"]
        self.feedback.load_state(state["feedback"])
        dropout = state["dropout"]
        if isinstance(self.policy, Dropping):
            self.policy.set_dropout_state(None if dropout is None else _bytes(dropout))
        set_torch_randomness(state, self.gpu)

    def snapshot(self) -> Snapshot:
        """As in `Fitting`; randomness is each process's own and not in it."""
        tensors, state = super().snapshot()
        return tensors, state | {"collapsed": self.collapsed}

    def restore(self, tensors: dict[str, Tensor], state: dict[str, Any]) -> None:
        """Restore what `snapshot` returned."""
        super().restore(tensors, state)
        self.collapsed = state["collapsed"]


def torch_randomness(gpu: torch.device | None) -> dict[str, Any]:
    """State, as JSON, of torch's generators of the CPU and of a GPU."""
    return {
        "torch": _text(torch.get_rng_state()),
        "cuda": _text(torch.cuda.get_rng_state(gpu)) if gpu else None,
    }


def set_torch_randomness(state: dict[str, Any], gpu: torch.device | None) -> None:
    """Restore what `torch_randomness` returned."""
    torch.set_rng_state(_bytes(state["torch"]))
    if gpu and state["cuda"]:
        torch.cuda.set_rng_state(_bytes(state["cuda"]), gpu)


def _text(state: Tensor) -> str:
    return state.numpy().tobytes().hex()


def _bytes(text: str) -> Tensor:
    return torch.frombuffer(bytearray.fromhex(text), dtype=torch.uint8)
