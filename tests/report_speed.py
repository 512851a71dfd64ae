"""Seconds that a large table takes to measure, every interval and pair included: `make speed`."""

from __future__ import annotations

import time
from pathlib import Path

import numpy as np

from paretosteer.cells.cell import Cell
from paretosteer.cells.record import Cost, ScoredRecord
from paretosteer.report.analysis.bootstrap import RESAMPLES
from paretosteer.report.analysis.comparable import Objective, Setting
from paretosteer.report.analysis.evaluate_table import evaluate
from paretosteer.report.analysis.replicates import Replicate
from paretosteer.report.analysis.tables import Row, Table
from paretosteer.simplex import lattice

METHODS, PROMPTS, OBJECTIVES, DIVISIONS = 12, 500, 3, 10


def main(methods: int = METHODS, prompts: int = PROMPTS) -> None:
    """Measure one table and print how long that took."""
    table = large_table(methods, prompts)
    began = time.perf_counter()
    result = evaluate(table)
    seconds = time.perf_counter() - began
    points = len(lattice(OBJECTIVES, DIVISIONS))
    print(
        f"{methods} methods x {points} points x {prompts} prompts x {OBJECTIVES} objectives, "
        f"{RESAMPLES} resamples, {len(result.pairs)} pairs: {seconds:.1f} s"
    )


def large_table(methods: int, prompts: int) -> Table:
    """Methods of one seed each on concave fronts, every next a little less far."""
    grid = lattice(OBJECTIVES, DIVISIONS)  # (k, m)
    rng = np.random.default_rng(0)
    common = rng.normal(size=(prompts, OBJECTIVES))
    rows = []
    for place in range(methods):
        front = (2 - 0.02 * place) * np.sqrt(grid)
        noise = rng.normal(size=(len(grid), *common.shape))
        rows.append(_row(f"method {place}", front[:, None] + common + noise))
    return Table(1, "made up", "none", _setting(grid, prompts), tuple(rows), "")


def _row(name: str, scores: np.ndarray) -> Row:
    """A row of one seed with scores (k, prompts, m)."""
    cost = Cost.model_construct(train_steps=0, seconds={})
    record = ScoredRecord.model_construct(seed=0, cost=cost, n_failed=0, n_total=0)
    cell = Cell(Path("seed0-0123456789"), "ok", "", record, {})
    dialled = np.empty((0, scores.shape[2]))
    replicate = Replicate(cell, 0, None, scores, dialled, {}, {}, judged=None, optimum=None)
    return Row(name, name, "", {}, (cell,), (replicate,))


def _setting(grid: np.ndarray, prompts: int) -> Setting:
    m = grid.shape[1]
    return Setting(
        benchmark="made up",
        version="1",
        objectives=tuple(Objective(f"objective {i}", "score", "1") for i in range(m)),
        model="none",
        weights="",
        mean=(0.0,) * m,
        std=(1.0,) * m,
        reference=(-2.0,) * m,
        prompts="",
        prompt_count=prompts,
        preferences=tuple(map(tuple, grid.tolist())),
        dtype="float32",
        kl_coefficient=0.0,
        common_noise=True,
        folds=None,
    )


if __name__ == "__main__":
    main()
