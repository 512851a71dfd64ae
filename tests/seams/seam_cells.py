"""Small cells: trained at once, or killed and resumed, and their tensors and figures."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from paretosteer.cells import runner
from paretosteer.cells.plan import plan_cell
from paretosteer.sweeps.compose import compose_cell
from paretosteer.tracking import Tracker

SMALL = (
    *("budget=smoke", "budget.steps=4", "budget.prompts=4", "budget.test_prompts=2"),
    *("preferences.divisions=1", "checkpoint_seconds=0", "device=cpu", "threads=1"),
)
TEXT = (
    *("benchmark=stories", "benchmark.max_new_tokens=6", "benchmark.min_new_tokens=0"),
    *("budget.pool_samples=4", "budget.validation_prompts=2", "budget.calibration_samples=2"),
)


class Killed(BaseException):
    """The process ends here."""


class Killer(Tracker):
    """Ends training after a number of steps; by default never."""

    def __init__(self, last: int = -1):
        self.last = last

    def log(self, step: int, row: Any) -> None:
        if step == self.last:
            raise Killed


def finish(folder: Path, *overrides: str, killed_at: int | None = None) -> Path:
    """Folder of a finished cell; with `killed_at`, of one that was killed and resumed."""
    config = compose_cell((*SMALL, *overrides, f"sweep_dir={folder}"))
    if killed_at is not None:
        with pytest.raises(Killed):
            runner.run_cell(plan_cell(config), Killer(killed_at))
    record = runner.run_cell(plan_cell(config), Killer())
    assert record.status == "ok", record
    return plan_cell(config).folder


def assert_resumes(folder: Path, *overrides: str) -> Path:
    """A killed and resumed cell has the checkpoint and scores of an uninterrupted one."""
    whole = finish(folder / "whole", *overrides)
    resumed = finish(folder / "killed", *overrides, killed_at=3)
    for file in ("checkpoint/policy.safetensors", "scores.parquet"):
        assert (whole / file).read_bytes() == (resumed / file).read_bytes()
    return whole
