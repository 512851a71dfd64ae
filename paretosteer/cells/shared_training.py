"""Training that several cells share: done once, kept in the cache, copied into each cell.

A method whose `shared_training` names another method starts from that method's checkpoint. It comes
from the cache, else from a finished cell of the same sweep, else it is trained here. Every cell
that uses it counts its cost.
"""

from __future__ import annotations

import json
import shutil
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import Any

from paretosteer import method_outputs
from paretosteer.benchmark import Benchmark
from paretosteer.cells.maker import Maker
from paretosteer.cells.plan import CellPlan
from paretosteer.runtime.progress import say
from paretosteer.storage.atomic import write_json
from paretosteer.storage.cache import cached, existing
from paretosteer.storage.locks import owned
from paretosteer.training.budget import Account
from paretosteer.training.trainer import Trainer

KIND = "training"
_FACTS, _LOG = "facts.json", "training.csv"


@dataclass(frozen=True)
class SharedTraining:
    """A finished training in the cache."""

    folder: Path

    @property
    def checkpoint(self) -> Path:
        """Folder that the method saved."""
        return self.folder / "checkpoint"

    @property
    def log(self) -> Path:
        """Its `training.csv`."""
        return self.folder / _LOG

    @property
    def facts(self) -> dict[str, Any]:
        """Its `account`, `parts`, `seconds`, `units` and `caveats`."""
        facts: dict[str, Any] = json.loads((self.folder / _FACTS).read_text())
        return facts

    def cost(self, further: Account) -> Account:
        """Sum of its account and what a cell spends besides."""
        own = Account(**self.facts["account"])
        return Account(
            **{x.name: getattr(own, x.name) + getattr(further, x.name) for x in fields(Account)}
        )


def find_shared(plan: CellPlan, device: str) -> SharedTraining | None:
    """Training of this cell, if another cell shared the same one; None otherwise."""
    folder = existing(KIND, _key(plan, device))
    if folder is None:
        return None
    say(f"{plan.title}: training is shared with other cells, not repeated")
    return SharedTraining(folder)


def make_shared(plan: CellPlan, benchmark: Benchmark, trainer: Trainer) -> SharedTraining:
    """Training of the planned cell, trained with `trainer` if no cell has done it."""
    device = benchmark.setting.device.type

    def make(folder: Path) -> None:
        if not _copy_from_sweep(plan, device, folder):
            method = plan.method()
            method.train(benchmark, trainer)
            method_outputs.save(plan.config.method.name, method, folder / "checkpoint")
            trainer.write_log(folder / _LOG, [o.name for o in benchmark.objectives])
            account, seconds = asdict(trainer.account), trainer.seconds
            facts = {"account": account, "parts": trainer.parts, "seconds": seconds}
            facts |= {"units": asdict(benchmark.normaliser)}
            write_json(folder / _FACTS, facts | {"caveats": []})  # the cache keeps its own

    return SharedTraining(cached(KIND, _key(plan, device), make))


def _copy_from_sweep(plan: CellPlan, device: str, folder: Path) -> bool:
    """Copy the training of the sweep's own cell, waiting for a job that works on it."""
    cell = plan.folder
    if not cell.is_dir():
        return False
    with owned(cell, say, wait=True):
        state = plan.state
        if "train" not in state.finished(plan.digests):
            return False
        facts = state.facts("train")
        # What trains here trains in one process.
        if not Maker.of(plan, device).made(facts) or facts["processes"] > 1:
            return False
        shutil.copytree(cell / "checkpoint", folder / "checkpoint")
        shutil.copy(cell / _LOG, folder / _LOG)
    own = {name: facts[name] for name in ("account", "parts", "units", "caveats")}
    write_json(folder / _FACTS, own | {"seconds": facts["seconds"]["train"]})
    return True


def _key(plan: CellPlan, device: str) -> dict[str, Any]:
    """Everything that a training depends on, code and libraries included."""
    return {"train": plan.train_digest, **Maker.of(plan, device).facts}
