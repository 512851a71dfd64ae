"""Cells of the bandit that train, sample and score in a moment, in several pieces each."""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import Any

import pandas as pd

from paretosteer.cells import runner
from paretosteer.cells.plan import CellPlan, plan_cell
from paretosteer.config.schema import CellConfig
from paretosteer.sweeps.compose import compose_cell
from paretosteer.tracking import make_tracker

SMALL = (
    *("benchmark=bandit", "budget=smoke", "budget.steps=2", "budget.prompts=4"),
    *("preferences.divisions=1", "checkpoint_seconds=0"),
)


_composed = cache(compose_cell)  # most of the time that such a cell takes


def config(folder: Path, *overrides: str) -> CellConfig:
    return _composed((*SMALL, *overrides)).model_copy(update={"sweep_dir": str(folder)})


def plan(folder: Path, *overrides: str) -> CellPlan:
    return plan_cell(config(folder, *overrides))


def run_cell(folder: Path, *overrides: str) -> dict[str, Any]:
    cell = plan(folder, *overrides)
    return runner.run_cell(cell, make_tracker(cell.config.tracker)).as_dict()


def cell_folder(folder: Path, *overrides: str) -> Path:
    return plan(folder, *overrides).folder


def contents(cell: Path) -> dict[str, Any]:
    """All that a cell measured; what took time is left out."""
    found: dict[str, Any] = {
        path.name: path.read_bytes() for path in sorted((cell / "checkpoint").iterdir())
    }
    for path in cell.glob("*.parquet"):
        found[path.name] = path.read_bytes()
    found["training.csv"] = pd.read_csv(cell / "training.csv").drop(columns="seconds").to_csv()
    found["samples.jsonl"] = (cell / "samples.jsonl").read_text()
    return found


def names(cell: Path) -> set[str]:
    return {path.name for path in cell.iterdir()}
