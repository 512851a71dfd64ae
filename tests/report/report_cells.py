"""Cells as a sweep would have left them, made up in milliseconds."""

import hashlib
import json
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from paretosteer.cells.cell import find_cells
from paretosteer.cells.config_yaml import write_config
from paretosteer.cells.record import write_record
from paretosteer.report.analysis.evaluate_table import TableResult, evaluate
from paretosteer.report.analysis.tables import make_tables
from paretosteer.storage.digest import file_digest

Response = Callable[[np.ndarray], np.ndarray]

OBJECTIVES = ("sentiment", "variety", "brevity")
EDGE = [[i / 4, 1 - i / 4] for i in range(4, -1, -1)]  # five points, as sweeps write them
GRID = [[1.0, 0.0], [0.5, 0.5], [0.0, 1.0]]
TRIANGLE = [[i / 3, j / 3, (3 - i - j) / 3] for i in range(3, -1, -1) for j in range(3 - i, -1, -1)]


def digest(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()


def concave(reach: float, bend: float = 2.0) -> Response:
    """Points on an arc: all of one objective at its vertex, a good compromise between."""
    return lambda mu: reach * mu ** (1 / bend)


def moved(by: float) -> Response:
    """Points on a line, moved in all objectives."""
    return lambda mu: 2 * mu + by


def config(method: str, seed: int, steps: int = 120, **options: Any) -> dict[str, Any]:
    return {
        "method": {"name": method, **options},
        "benchmark": {"name": "stories"},
        "model": {"name": "embedded", "path": None},
        "budget": {"name": "quick", "steps": steps},
        "preferences": {"name": "lattice", "divisions": None},
        "tracker": {"name": "none"},
        "seed": seed,
        "device": "cpu",
        "dtype": "float32",
        "sweep_dir": "anywhere",
    }


def base_record(method: str, seed: int, variant: str, **options: Any) -> dict[str, Any]:
    resolved = config(method, seed, **options)
    identity = digest(json.dumps(resolved, sort_keys=True))[:10]
    return {
        "schema": 1,
        "status": "ok",
        "identity": identity,
        "benchmark": {"name": "stories", "version": "1"},
        "model": {"name": "embedded", "digest": digest("model")},
        "method": method,
        "variant": variant,
        "seed": seed,
        "config": resolved,
        "command": f"paretosteer run method={method} seed={seed}",
        "created": "2025-01-02T03:04:05Z",
        "stages": {"train": digest(f"train {identity}")},
        "versions": {"paretosteer": "0.1.0", "torch": "2.9.0"},
        "git": {"commit": "0123abcd" * 5, "dirty": False},
        "source_digest": digest("source"),
    }


def write_cell(
    sweep: Path,
    method: str,
    response: Response,
    *,
    seed: int = 0,
    variant: str = "",
    grid: Sequence[Sequence[float]] = EDGE,
    dials: Sequence[dict[str, float]] = ({},),
    prompts: int = 12,
    noise: float = 0.4,
    names: Sequence[str] = OBJECTIVES,
    text: str = "Once there was a fox.",
    kl: float = 2.0,
    fold: tuple[int, int] | None = None,
    oracle: Response | None = None,
    changes: dict[str, Any] | None = None,
    digests: bool = False,
    **options: Any,
) -> Path:
    """Write a finished cell whose points are `response(preference)` in standard units.

    A `fold` (index, of) has start model, normaliser and test prompts of its own; the `oracle`'s
    points are in the coordinates of the report, and the start model is at 0 in them.
    """
    m = len(grid[0])
    points = [{"preference": list(mu), "dials": dial} for dial in dials for mu in grid]
    record = base_record(method, seed, variant, **options) | _outcome(names[:m], points, prompts)
    if fold:
        record = _in_fold(record, *fold)
    if oracle:
        best = [oracle(np.array(point["preference"])).tolist() for point in points]
        record["oracle"] = {"points": best, "start": [0.0] * m}
    record = _merge(record, changes or {})
    folder = sweep / "stories" / method / f"seed{seed}-{record['identity']}"
    folder.mkdir(parents=True)
    drawn = [seed, int(digest(method + variant)[:8], 16), *(fold or ())]
    rng = np.random.default_rng(drawn)
    by_prompt = rng.normal(size=(prompts, m)) * noise
    rows, drift, samples = [], [], []
    for index, point in enumerate(points):
        mu = np.array(point["preference"])
        own = response(mu) + seed * 0.05 - sum(point["dials"].values())
        z = own + by_prompt + rng.normal(size=(prompts, m)) * noise / 4
        raw = z * np.array(record["normaliser"]["std"]) + np.array(record["normaliser"]["mean"])
        for prompt in range(prompts):
            name = f"p{prompt:02d}" if fold is None else f"{fold[0]}p{prompt:02d}"
            place = {"point": index, "prompt_id": name, "sample": 0}
            rows.append(place | dict(zip(names, raw[prompt], strict=False)))
            drift.append(place | {"kl": kl + mu[0], "start_nll": 60.0, "tokens": 40})
            samples.append(place | {"prompt": f"Prompt {prompt}", "text": f"{text} {mu.round(2)}"})
    pd.DataFrame(rows).to_parquet(folder / "scores.parquet")
    pd.DataFrame(drift).to_parquet(folder / "drift.parquet")
    (folder / "samples.jsonl").write_text("".join(json.dumps(each) + "\n" for each in samples))
    if digests:
        write_config(folder, record["config"])
        record["files"] = {path.name: file_digest(path) for path in folder.iterdir()}
    write_record(folder, record)
    return folder


def write_unscored(sweep: Path, method: str, status: str, *, seed: int = 0, **extra: Any) -> Path:
    """Write a failed or unsupported cell: its record alone."""
    record = base_record(method, seed, "") | {"status": status, **extra}
    folder = sweep / "stories" / method / f"seed{seed}-{record['identity']}"
    folder.mkdir(parents=True)
    write_record(folder, record)
    return folder


def write_missing(sweep: Path, method: str, seed: int = 0) -> Path:
    """Write a cell that was interrupted: a configuration without a record."""
    folder = sweep / "stories" / method / f"seed{seed}-0123456789"
    folder.mkdir(parents=True)
    # JSON is YAML.
    (folder / "config.yaml").write_text(json.dumps(config(method, seed)))
    return folder


def write_sweep(sweep: Path) -> Path:
    """A small sweep with everything in it: methods, seeds, variants, dials and all that failed."""
    for seed in (0, 1):
        write_cell(sweep, "rewarded_soup", lambda mu: 2.0 * mu, seed=seed)
        write_cell(sweep, "bone_soup", concave(2.2), seed=seed, extrapolation="code")
        write_cell(sweep, "clp", concave(2.4), seed=seed, variant="full")
        write_cell(sweep, "clp", concave(0.6), seed=seed, variant="prompt", scope="prompt")
    write_cell(sweep, "cos_dpo", concave(1.3), dials=({}, {"temperature": 0.5}))
    over = {"exempt": True, "cost": {"train_steps": 600}}
    write_cell(sweep, "morl", concave(2.5), changes=over)
    write_cell(sweep, "start", lambda mu: 0.0 * mu, changes={"cost": {"train_steps": 0}})
    diverged = {"type": "DivergenceError", "message": "loss is NaN at step 17", "stage": "train"}
    write_unscored(sweep, "cos_dpo", "failed", seed=1, error=diverged)
    write_unscored(sweep, "interpolation", "unsupported", reason="stories has no labelled text")
    write_missing(sweep, "morl", seed=1)
    write_missing(sweep, "modpo")
    corrupt = sweep / "stories" / "clp" / "seed9-aaaaaaaaaa"
    corrupt.mkdir()
    (corrupt / "record.json").write_text('{"schema": 1, "status": ')
    return sweep


def write_bandit(
    sweep: Path, method: str, share: float, *, grid: Sequence[Sequence[float]], **options: Any
) -> Path:
    """A cell of a world whose best front is a sphere, and which reaches some `share` of it.

    The oracle is the best for linear utility. Points are regularised by a KL of 2 + μ₁.
    """
    coefficient = 0.1

    def best(mu: np.ndarray) -> np.ndarray:
        return 2 * mu / np.linalg.norm(mu)

    def response(mu: np.ndarray) -> np.ndarray:
        away = 1 - (1 - share) * (1 + mu[0]) * (1 - mu.max())  # worst between the vertices
        return share * away * best(mu) + coefficient * (2 + mu[0])

    return write_cell(
        sweep,
        method,
        response,
        grid=grid,
        oracle=best,
        changes={"kl_coefficient": coefficient},
        **options,
    )


def write_folds(
    sweep: Path, method: str, moves: dict[int, float], noise: float = 0.0, **options: Any
) -> list[Path]:
    """A cell for each fold of three or five, `moved`, with more test prompts in later ones."""
    return [
        write_cell(
            sweep,
            method,
            moved(by),
            grid=GRID,
            noise=noise,
            prompts=4 + 3 * index,
            fold=(index, max(3, *moves)),
            **options,
        )
        for index, by in moves.items()
    ]


def drifts(folder: Path, kl: Callable[[float], float]) -> None:
    """Set the KL of a written cell's points by their place."""
    frame = pd.read_parquet(folder / "drift.parquet")
    frame.assign(kl=frame["point"].map(kl)).to_parquet(folder / "drift.parquet")


def only(folder: Path) -> TableResult:
    """The one table of a folder."""
    (table,) = make_tables(find_cells(folder)).tables
    return evaluate(table)


def width(figures: Any, name: str = "hypervolume") -> float:
    """Half-width of an interval."""
    return float(figures[f"{name}_high"] - figures[f"{name}_low"])


def _in_fold(record: dict[str, Any], index: int, of: int) -> dict[str, Any]:
    config = record["config"]
    count, m = record["prompts"]["count"], len(record["objectives"])
    return record | {
        "fold": {"index": index, "of": of, "family": digest("family")},
        "identity": digest(f"{record['identity']} {index}")[:10],
        "config": config | {"benchmark": config["benchmark"] | {"fold": index}},
        "model": {"name": "embedded", "digest": digest(f"model {index}")},
        "normaliser": {"mean": [0.1 * index] * m, "std": [float(index)] * m},
        "prompts": {"split": "test", "count": count, "digest": digest(f"{index}: {count}")},
    }


def _outcome(names: Sequence[str], points: list[dict[str, Any]], prompts: int) -> dict[str, Any]:
    m = len(names)
    return {
        "files": {},
        "objectives": [
            {
                "name": name,
                "unit": "score",
                "worst": 0.0,
                "description": f"how much {name}",
                "version": "1",
            }
            for name in names
        ],
        "normaliser": {"mean": [0.25, 0.5, 0.75][:m], "std": [0.5, 0.25, 2.0][:m]},
        "reference": [-2.0] * m,
        "points": points,
        "prompts": {"split": "test", "count": prompts, "digest": digest(f"prompts {prompts}")},
        "n_total": len(points) * prompts,
        "n_scored": len(points) * prompts,
        "n_failed": 0,
        "seeds": {"train": 0, "sample": 1},
        "batch_size": {"train": 64, "sample": 512},
        "dtype": "float32",
        "device": "cpu",
        "selection": {},
        "cost": {
            "train_steps": 120,
            "train_tokens": 300_000,
            "selection_tokens": 20_000,
            "reward_calls": 7_680,
            "flops": 2.5e12,
            "seconds": {"train": 60.0, "sample": 9.0, "score": 1.5},
            "peak_memory_bytes": 900_000_000,
            "trained_parameters": 40_000,
            "stored_bytes": 165_000,
            "switch_seconds": 1.5e-5,
        },
    }


def _merge(record: dict[str, Any], changes: dict[str, Any]) -> dict[str, Any]:
    return record | {
        name: {**record.get(name, {}), **value} if isinstance(value, dict) else value
        for name, value in changes.items()
    }
