"""One sweep by our own loop and by another engine, compared: a part of `make test-vllm MODEL=…`.

    python tests/engine_study.py --model FOLDER

The cells are trained once and answered twice. Fails unless nearly all tokens are equal up to the
first difference of each sample, and the leaderboards agree within their paired intervals.
"""

from __future__ import annotations

import argparse
import json
import shutil
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

import pandas as pd

from paretosteer.cells.discovery import cells_below
from paretosteer.commands.main import main as paretosteer
from paretosteer.report.outputs.comparison_files import write_comparison

ENOUGH = 0.95  # share of tokens
KEYS = ["point", "prompt_id", "sample"]


def main(arguments: Sequence[str] | None = None) -> int:
    """Run both sweeps; 1 if they differ by more than rounding."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--model", help="a Hugging Face folder; by default the benchmark's own")
    parser.add_argument("--engine", default="vllm")
    parser.add_argument("--methods", default="rewarded_soup,bone_soup,clp")
    parser.add_argument("--keep", type=Path, help="where the two sweeps go; default: nowhere")
    parser.add_argument("overrides", nargs="*")
    args = parser.parse_args(arguments)
    model = ["model=hf", f"model.path={args.model}"] if args.model else []
    given = [f"method={args.methods}", *model, "dtype=float32", *args.overrides]
    shared = [each for each in given if not each.startswith("engine.")]
    with tempfile.TemporaryDirectory() as temporary:
        folder = args.keep or Path(temporary)
        native, other = folder / "native", folder / args.engine
        if sweep(native, "native", shared):
            return 1
        shutil.copytree(native, other, dirs_exist_ok=True)
        failed = sweep(other, args.engine, given)
        return 1 if failed or not agree(native, other) else 0


def sweep(folder: Path, engine: str, overrides: list[str]) -> int:
    return paretosteer(["sweep", *overrides, f"engine={engine}", f"sweep_dir={folder}"])


def agree(native: Path, other: Path) -> bool:
    """Print how far the two sweeps agree; True if by as much as rounding allows."""
    shares = [share(cell, other / cell.relative_to(native)) for cell in sorted(cells_below(native))]
    for row in write_comparison(native, other).comparison.rows:
        assert row.shifts is not None, f"{row.label} is not compared: {row.cells[0].reason}"
        shift = row.shifts.hypervolume
        assert shift.interval is not None
        low, high = shift.interval
        print(
            f"{row.label}: hypervolume {shift.before:.4f} natively, {shift.after:.4f} by the "
            f"engine, difference {low:+.4f} to {high:+.4f}"
        )
        shares.append(1.0 if low <= 0 <= high else 0.0)
    return min(shares) >= ENOUGH


def share(one: Path, other: Path) -> float:
    """Share of tokens up to the first difference of each sample, over all samples of a cell."""
    frames = [
        pd.DataFrame(map(json.loads, (cell / "samples.jsonl").open(encoding="utf-8")))
        for cell in (one, other)
    ]
    pairs = frames[0].merge(frames[1], on=KEYS, validate="one_to_one")
    lengths = pd.read_parquet(one / "drift.parquet").set_index(KEYS)["tokens"]
    same = total = equal = 0.0
    for row in pairs.itertuples():
        tokens = float(lengths[tuple(getattr(row, key) for key in KEYS)])
        ends = max(len(row.text_x), len(row.text_y), 1)
        letters = zip(row.text_x, row.text_y, strict=False)
        first = next((i for i, (a, b) in enumerate(letters) if a != b), None)
        alike = row.text_x == row.text_y
        # Of samples that differ, tokens are counted by their letters.
        same += tokens if alike else tokens * (first or 0) / ends
        total += tokens
        equal += alike
    found = same / total
    print(
        f"{one.parent.name}: {found:.2%} of {total:.0f} tokens equal up to the first difference; "
        f"{equal / len(pairs):.2%} of {len(pairs)} samples equal"
    )
    return found


if __name__ == "__main__":
    sys.exit(main())
