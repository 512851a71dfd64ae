"""Checks that scores are complete, unique and finite, from which points are recomputed."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import TYPE_CHECKING

from paretosteer.cells.scores import KEYS, MOST
from paretosteer.findings import Finding, fault
from paretosteer.storage.untrusted import RefusedError
from paretosteer.validation.evidence import Evidence

if TYPE_CHECKING:
    import pandas as pd

    from paretosteer.interfaces import Array


def counts(cell: Evidence) -> Iterator[Finding]:
    """Check that the record's numbers of samples add up."""
    record = cell.record
    if record.n_scored + record.n_failed != record.n_total:
        yield fault(
            f"n_scored {record.n_scored} and n_failed {record.n_failed} do not add up to "
            f"n_total {record.n_total}"
        )
    samples = record.config.get("budget", {}).get("test_samples")
    points, prompts = len(record.points), record.prompts.count
    if isinstance(samples, int) and points * prompts * samples != record.n_total:
        yield fault(
            f"n_total is {record.n_total}, but {points} points, {prompts} prompts and "
            f"{samples} samples make {points * prompts * samples}"
        )


def scores(cell: Evidence) -> Iterator[Finding]:
    """Check that keys are complete and unique and scores finite; fill in the cell's points."""
    try:
        raw, cell.keys = _cube(cell, "scores.parquet", cell.record.objective_names)
        penalty = _penalty(cell, cell.keys)
    except RefusedError as refused:
        yield fault(str(refused))
        return
    constants = cell.record.normaliser
    by_prompt = (raw.mean(axis=2) - constants.mean) / constants.std
    cell.raw = raw.mean(axis=(1, 2))
    cell.values = by_prompt - penalty


def others(cell: Evidence) -> Iterator[Finding]:
    """Check that drift, judges' scores and samples have the keys of the scores."""
    names = cell.record.objective_names
    tables = {"drift.parquet": ["kl", "start_nll", "tokens"], "judge.parquet": names}
    if cell.keys is None:
        return  # reported by `scores`
    for name, columns in tables.items():
        if name in cell.record.files:
            try:
                _, keys = _cube(cell, name, columns)
            except RefusedError as refused:
                yield fault(str(refused))
                continue
            if not keys.equals(cell.keys):
                yield fault(f"{name} has other samples than the scores")
    if "samples.jsonl" in cell.record.files and "samples.jsonl" not in cell.left_out:
        yield from _texts(cell, cell.keys)


def _texts(cell: Evidence, expected: pd.DataFrame) -> Iterator[Finding]:
    """Check that `samples.jsonl` is empty or has one line per row of the scores."""
    try:
        lines = cell.content("samples.jsonl").split(b"\n")
        rows = [json.loads(line) for line in lines if line]
        found = [(row["point"], str(row["prompt_id"]), row["sample"]) for row in rows]
    except RefusedError as refused:
        yield fault(str(refused))
        return
    except (ValueError, KeyError, TypeError, RecursionError):
        yield fault("samples.jsonl holds a line that is not a sample")
        return
    columns = (expected[key].tolist() for key in KEYS)
    if found and sorted(found, key=str) != sorted(zip(*columns, strict=True), key=str):
        yield fault(f"samples.jsonl has {len(found)} samples that are not those of the scores")


def _penalty(cell: Evidence, keys: pd.DataFrame) -> Array | float:
    """KL penalty at each point and prompt, (points, prompts, 1); 0 without a coefficient."""
    coefficient = cell.record.kl_coefficient
    if not coefficient:
        return 0.0
    kl, own = _cube(cell, "drift.parquet", ["kl"])
    if not own.equals(keys):
        raise RefusedError("drift.parquet has other samples than the scores")
    return coefficient * kl.mean(axis=2)


def _cube(cell: Evidence, name: str, columns: list[str]) -> tuple[Array, pd.DataFrame]:
    """Read a table as (points, prompts, samples, columns), and its sorted keys."""
    import numpy as np

    frame = _sorted(cell.frame(name, [*KEYS, *columns]))
    keys = frame[KEYS]
    if keys.duplicated().any():
        raise RefusedError(f"{name} has {int(keys.duplicated().sum())} samples twice")
    sizes = [keys[key].nunique() for key in KEYS]
    if len(frame) == 0 or int(np.prod(sizes)) != len(frame):
        raise RefusedError(f"{name} does not have every sample of every prompt at every point")
    points, prompts = len(cell.record.points), cell.record.prompts.count
    if keys["point"].unique().tolist() != list(range(points)) or sizes[1] != prompts:
        raise RefusedError(
            f"{name} has {sizes[0]} points with {sizes[1]} prompts, the record has {points} and "
            f"{prompts}"
        )
    try:
        values = frame[columns].to_numpy(dtype=float)
    except (TypeError, ValueError):
        raise RefusedError(f"{name} holds something that is not a number") from None
    if not (np.abs(values) <= MOST).all():
        raise RefusedError(f"{name} holds NaN or a number beyond {MOST:g}")
    return values.reshape(*sizes, len(columns)), keys


def _sorted(frame: pd.DataFrame) -> pd.DataFrame:
    """Rows sorted by point, prompt and sample; their order in a file is arbitrary."""
    named = frame.assign(prompt_id=frame["prompt_id"].astype(str))
    return named.sort_values(KEYS, ignore_index=True)
