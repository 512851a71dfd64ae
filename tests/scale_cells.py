"""Folders of finished cells that no training made: as a sweep leaves them, digests and all."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from itertools import islice, product
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from paretosteer.cells import provenance
from paretosteer.cells.config_yaml import CONFIG, write_config
from paretosteer.cells.plan import CellPlan, plan_cell
from paretosteer.cells.record import write_record
from paretosteer.cells.record_content import head
from paretosteer.config.schema import CellConfig
from paretosteer.storage.digest import digest, file_digest
from paretosteer.sweeps.compose import compose_sweep

METHODS = ("rewarded_soup", "bone_soup", "clp", "cos_dpo", "interpolation")
VARIANTS = 20
SAMPLE = "so they went home, and the little fox was glad that the long day had come to an end"


def write_sweep(folder: Path, cells: int, variants: int = VARIANTS, prompts: int = 50) -> None:
    """A sweep of five methods in some variants, and of as many seeds as make so many cells."""
    for config in islice(sweep_configs(folder, cells, variants), cells):
        write_cell(plan_cell(config), prompts)


def sweep_configs(folder: Path, cells: int, variants: int = VARIANTS) -> Iterator[CellConfig]:
    """The configurations of such a sweep, seed by seed."""
    given = [f"method={','.join(METHODS)}", f"sweep_dir={folder}", "tracker=none"]
    composed = compose_sweep(given)
    rates = [round(1e-3 * (1 + place), 6) for place in range(variants)]
    for seed, rate, config in product(range(cells), rates, composed):
        method = config.method.model_copy(update={"learning_rate": rate})
        yield config.model_copy(update={"method": method, "seed": seed})


def write_wide_cells(folder: Path, points: int = 1_000, prompts: int = 100) -> None:
    """Cells of two methods with eight objectives and so many random preferences."""
    given = ["benchmark=bandit", "benchmark.objectives=8", "preferences=random"]
    given += [f"preferences.count={points}", f"sweep_dir={folder}", "tracker=none"]
    for config in compose_sweep([*given, "method=rewarded_soup,clp"]):
        write_cell(plan_cell(config), prompts)


def write_cell(plan: CellPlan, prompts: int) -> None:
    """The files of a finished cell: points on a concave front, noise, and texts of some length."""
    config, grid, names = plan.config, plan.grid(), list(plan.objectives)
    shape = len(grid), prompts, len(names)
    rng = np.random.default_rng([config.seed, int(plan.identity, 16)])
    reach = 2 - 0.02 * METHODS.index(config.method.name) - 5 * _rate(config) ** 2
    front = reach * np.sqrt(grid)[:, None] + 0.05 * rng.normal(size=len(names))
    scores = (front + 0.6 * rng.normal(size=shape)).reshape(-1, len(names))
    keys = _keys(len(grid), prompts)
    count = len(keys["point"])
    kl = 4 * (1 - grid.max(axis=1)).repeat(prompts) + rng.random(count)
    drift = {"kl": kl, "start_nll": 60 + kl, "tokens": np.full(count, 40)}
    plan.folder.mkdir(parents=True)
    write_config(plan.folder, config.model_dump(mode="json"))
    (plan.folder / "checkpoint").mkdir()
    (plan.folder / "checkpoint" / "banks.safetensors").write_bytes(rng.bytes(4_000))
    (plan.folder / "training.csv").write_text("step,loss\n" + "1,0.5\n" * 120)
    (plan.folder / "samples.jsonl").write_text("".join(_lines(keys)))
    _write_table(plan.folder / "drift.parquet", keys | drift)
    _write_table(plan.folder / "scores.parquet", keys | dict(zip(names, scores.T, strict=True)))
    _finish(plan, grid.tolist(), prompts)


def _rate(config: CellConfig) -> float:
    rate: float | None = config.method.values["learning_rate"]
    return rate or 0.0


def _keys(points: int, prompts: int) -> dict[str, Any]:
    ids = [f"test-{prompt:04d}" for prompt in range(prompts)] * points
    point = np.arange(points).repeat(prompts)
    return {"point": point, "prompt_id": ids, "sample": np.zeros(len(point), dtype=np.int64)}


def _lines(keys: dict[str, Any]) -> Iterator[str]:
    for point, prompt in zip(keys["point"].tolist(), keys["prompt_id"], strict=True):
        shown = {"prompt": f"Prompt {prompt}", "text": f"{SAMPLE} {point}"}
        yield json.dumps({"point": point, "prompt_id": prompt, "sample": 0, **shown}) + "\n"


def _write_table(path: Path, columns: dict[str, Any]) -> None:
    pq.write_table(pa.table(columns), path)


def _finish(plan: CellPlan, grid: Sequence[Sequence[float]], prompts: int) -> None:
    """Book the stages and write the record."""
    state, digests = plan.state, plan.digests
    files = {
        "train": ["checkpoint/banks.safetensors", "training.csv"],
        "sample": ["samples.jsonl", "drift.parquet"],
        "score": ["scores.parquet"],
    }
    for name, made in files.items():
        state.finish(name, digests[name], made, {})
    config = plan.config
    record = head(config, plan.identity, plan.variant, plan.benchmark_class.version)
    config_digest = file_digest(plan.folder / CONFIG)
    record |= {"status": "ok", "stages": digests, "files": state.files | {CONFIG: config_digest}}
    record |= _measured(list(plan.objectives.items()), grid, prompts)
    write_record(plan.folder, record | {"model": {"name": "made up", "digest": plan.model_key}})


def _measured(
    objectives: Sequence[tuple[str, str]], grid: Sequence[Sequence[float]], prompts: int
) -> dict[str, Any]:
    m, rows = len(objectives), len(grid) * prompts
    return {
        "objectives": [
            {"name": name, "unit": "", "worst": 0.0, "description": name, "version": version}
            for name, version in objectives
        ],
        "normaliser": {"mean": [0.0] * m, "std": [1.0] * m},
        "reference": [-2.0] * m,
        "points": [{"preference": mu, "dials": {}} for mu in grid],
        "prompts": {"split": "test", "count": prompts, "digest": digest(f"{prompts} prompts")},
        "n_total": rows,
        "n_scored": rows,
        "n_failed": 0,
        "seeds": {"train": 0, "sample": 0},
        "batch_size": {"train": 64, "eval": 512},
        "dtype": "float32",
        "device": "cpu",
        "versions": provenance.versions(),
        "git": provenance.git(),
        "source_digest": provenance.source_digest(),
        "selection": {},
        "cost": {
            **{"train_steps": 120, "train_tokens": 300_000, "selection_tokens": 0},
            **{"reward_calls": 7_680, "flops": 2.5e12, "peak_memory_bytes": 900_000_000},
            **{"trained_parameters": 40_000, "stored_bytes": 4_000, "switch_seconds": 1.5e-5},
            "seconds": {"train": 60.0, "sample": 9.0, "score": 1.5},
        },
    }
