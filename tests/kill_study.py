"""Kill a sweep at random moments, again and again, and compare it with one that was left alone.

    python tests/kill_study.py --kills 20 method=clp,bone_soup benchmark=bandit

Real processes die by SIGKILL, wherever they are, with all their children. Every file that a cell
measured must be the same to the bit in the end, and its record but for what took how long. A sweep
that ends before it was killed a third as often as asked proves too little, and fails the study.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parent / "faults"))

from small_cells import contents

PARETOSTEER = Path(sys.executable).with_name("paretosteer")


def main() -> int:
    """Run the study; 1 if a cell differs, or too few kills hit."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--kills", type=int, default=20, help="at most")
    parser.add_argument("--seed", type=int, default=0, help="of the moments")
    parser.add_argument("--keep", type=Path, help="where the two sweeps go; default: nowhere")
    parser.add_argument("overrides", nargs="+")
    args = parser.parse_args()
    with tempfile.TemporaryDirectory() as temporary:
        folder = args.keep or Path(temporary)
        seconds = undisturbed(args.overrides, folder / "whole")
        killed = disturbed(args, folder / "killed", seconds)
        verdict = compare(folder / "whole", folder / "killed")
        enough = killed >= max(1, args.kills // 3)
        told = {"kills": killed, "enough": enough, "undisturbed_seconds": round(seconds)}
        print(json.dumps(told | verdict))
        wrong = verdict["different"] or verdict["left_behind"] or not verdict["cells"]
        return 1 if wrong or not enough else 0


def undisturbed(overrides: list[str], folder: Path) -> float:
    """Run the sweep in peace; gives its seconds."""
    began = time.monotonic()
    subprocess.run([PARETOSTEER, "sweep", *overrides, f"sweep_dir={folder}"], check=True)
    return time.monotonic() - began


def disturbed(args: argparse.Namespace, folder: Path, seconds: float) -> int:
    """Kill the sweep at random moments, then let it end; gives how often it was killed."""
    command = [PARETOSTEER, "sweep", *args.overrides, f"sweep_dir={folder}"]
    moments, killed = random.Random(args.seed), 0
    start = 0.3 * min(seconds, 20)  # importing everything takes about that long
    while killed < args.kills:
        process = subprocess.Popen(command, start_new_session=True)
        try:
            code = process.wait(start + moments.expovariate(args.kills / seconds))
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, signal.SIGKILL)
            process.wait()
            killed += 1
            continue
        if code:
            raise SystemExit(f"the sweep itself failed with {code}")
        break
    subprocess.run(command, check=True)
    return killed


def compare(whole: Path, killed: Path) -> dict[str, Any]:
    """Number of cells, those that differ, and unfinished work that was left behind."""
    cells = {
        record.parent.relative_to(sweep)
        for sweep in (whole, killed)
        for record in sweep.rglob("record.json")
    }
    return {
        "cells": len(cells),
        "different": [str(cell) for cell in sorted(cells) if differ(whole / cell, killed / cell)],
        "left_behind": [str(path) for path in killed.glob("*/*/*/.*") if path.name != ".lock"],
    }


def differ(one: Path, other: Path) -> bool:
    """True if two cells have different measurements, or one of them is missing."""
    records = [path / "record.json" for path in (one, other)]
    if not all(record.exists() for record in records):
        return True
    first, second = (measured(json.loads(record.read_text())) for record in records)
    return first != second or contents(one) != contents(other)


def measured(record: dict[str, Any]) -> dict[str, Any]:
    """A record without where and when it was made, and what its making took."""
    dropped = {"digest", "command", "config", "created", "git", "files", "cost"}
    took = {"seconds", "switch_seconds", "peak_memory_bytes"}
    kept = {name: value for name, value in record.items() if name not in dropped}
    cost = {name: value for name, value in record["cost"].items() if name not in took}
    return kept | {"cost": cost}


if __name__ == "__main__":
    sys.exit(main())
