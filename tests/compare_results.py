"""compare_results.py BEFORE AFTER: do two results folders hold the same figures?

Cells are matched by benchmark, method, variant, seed and fold: a cell's identity may change with
the names of options or the versions of stages, its figures may not. Compared to the bit are
`scores.parquet`, `drift.parquet`, `judge.parquet` and `samples.jsonl` of every cell, the figures of
`training.csv`, every column of `leaderboard.csv` and every figure of `report.json`, apart from what
measures a run (seconds, memory), says where and by what code it was made (paths, commits, digests),
or is a sentence.

`tests/compare_commits.sh` makes such folders with two versions of the code.
"""

from __future__ import annotations

import json
import math
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pandas as pd

FRAMES = ("scores.parquet", "drift.parquet", "judge.parquet")
# Keys of report.json and columns of leaderboard.csv that differ between two equal runs.
RUN = {
    *("seconds", "switch_seconds", "peak_memory_bytes", "created", "batch_size"),
    *("path", "paths", "command", "git", "code", "source_digest", "versions", "files"),
    *("identity", "stages", "notes", "reason", "stored_bytes"),
}


def main(before: Path, after: Path) -> int:
    """Print every difference; 0 if there is none."""
    differences = list(compare(before, after))
    for difference in differences:
        print(difference)
    cells = len(_cells(before))
    print(f"{cells} cells, {len(differences)} differences")
    return 1 if differences or not cells else 0


def compare(before: Path, after: Path) -> Iterator[str]:
    """Yield one line per difference between two results folders."""
    old, new = _cells(before), _cells(after)
    for key in sorted(old.keys() ^ new.keys(), key=str):
        yield f"{key}: only in {before if key in old else after}"
    for key in sorted(old.keys() & new.keys(), key=str):
        yield from (f"{key}: {line}" for line in _cell_differences(old[key], new[key]))
    reports = {path.relative_to(before) for path in before.rglob("report/report.json")}
    for report in sorted(reports):
        yield from _report_differences(before / report.parent, after / report.parent)


def _cells(folder: Path) -> dict[tuple[Any, ...], Path]:
    """Every cell's folder by what it is."""
    cells = {}
    for path in folder.rglob("record.json"):
        record = json.loads(path.read_text(encoding="utf-8"))
        fold = (record.get("fold") or {}).get("index")
        name = record["benchmark"]["name"]
        cells[name, record["method"], record["variant"], record["seed"], fold] = path.parent
    return cells


def _cell_differences(before: Path, after: Path) -> Iterator[str]:
    for name in FRAMES:
        if (before / name).exists() != (after / name).exists():
            yield f"{name} exists once"
        elif (before / name).exists():
            old, new = pd.read_parquet(before / name), pd.read_parquet(after / name)
            if not old.equals(new):
                yield f"{name} differs"
    if (before / "samples.jsonl").read_bytes() != (after / "samples.jsonl").read_bytes():
        yield "samples.jsonl differs"
    logs = [pd.read_csv(folder / "training.csv") for folder in (before, after)]
    old, new = (log.drop(columns="seconds") for log in logs)
    if not old.equals(new):
        yield "training.csv differs"


def _report_differences(before: Path, after: Path) -> Iterator[str]:
    if not (after / "report.json").exists():
        yield f"{after}: has no report"
        return
    old, new = (_leaderboard(folder) for folder in (before, after))
    for column in sorted({*old.columns} ^ {*new.columns}):
        yield f"{before}: leaderboard.csv: only one has the column {column}"
    for column in sorted({*old.columns} & {*new.columns}):
        if not old[column].equals(new[column]):
            yield f"{before}: leaderboard.csv: {column} differs"
    one, two = (
        json.loads((folder / "report.json").read_text(encoding="utf-8"))
        for folder in (before, after)
    )
    for part in one.keys() - RUN:
        for difference in _json_differences(_ordered(one[part]), _ordered(two.get(part)), part):
            yield f"{before}: report.json: {difference}"


def _leaderboard(folder: Path) -> pd.DataFrame:
    """The leaderboard's figures, its rows ordered by what they are."""
    frame = pd.read_csv(folder / "leaderboard.csv", dtype=str, keep_default_na=False)
    measured = [c for c in frame.columns if c in RUN or c.startswith("seconds_")]
    return frame.drop(columns=measured)


def _ordered(value: Any) -> Any:
    """Lists of cells in the order of what they are, not of their identities."""
    if isinstance(value, list) and value and isinstance(value[0], dict) and "seed" in value[0]:
        return sorted(
            value,
            key=lambda cell: str([cell.get(k) for k in ("method", "variant", "seed", "fold")]),
        )
    return value


def _json_differences(old: Any, new: Any, place: str) -> Iterator[str]:
    if isinstance(old, dict) and isinstance(new, dict):
        for key in sorted(old.keys() | new.keys()):
            if key not in RUN and not key.startswith("seconds_"):
                yield from _json_differences(old.get(key), new.get(key), f"{place}.{key}")
    elif isinstance(old, list) and isinstance(new, list) and len(old) == len(new):
        for i, (one, two) in enumerate(zip(old, new, strict=True)):
            yield from _json_differences(one, two, f"{place}[{i}]")
    elif not _same(old, new):
        yield f"{place}: {str(old)[:60]} before, {str(new)[:60]} after"


def _same(old: Any, new: Any) -> bool:
    both_nan = all(isinstance(v, float) and math.isnan(v) for v in (old, new))
    return both_nan or (type(old) is type(new) and old == new)


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1]), Path(sys.argv[2])))
