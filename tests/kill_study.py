"""Kill a sweep at random moments, again and again, and compare it with one that was left alone.

    python tests/kill_study.py --kills 20 method=clp,bone_soup benchmark=bandit

Real processes die by SIGKILL, wherever they are, with all their children. Every file that a cell
measured must be the same to the bit in the end; only what took how long may differ.
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

sys.path.insert(0, str(Path(__file__).parent / "faults"))

from small_cells import contents

PARETOSTEER = Path(sys.executable).with_name("paretosteer")


def main() -> int:
    """Run the study; 1 if a cell differs."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--kills", type=int, default=20)
    parser.add_argument("--seed", type=int, default=0, help="of the moments")
    parser.add_argument("--keep", type=Path, help="where the two sweeps go; default: nowhere")
    parser.add_argument("overrides", nargs="+")
    args = parser.parse_args()
    with tempfile.TemporaryDirectory() as temporary:
        folder = args.keep or Path(temporary)
        seconds = undisturbed(args.overrides, folder / "whole")
        killed = disturbed(args, folder / "killed", seconds)
        return compare(folder / "whole", folder / "killed", killed, seconds)


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


def compare(whole: Path, killed: Path, times: int, seconds: float) -> int:
    """Say which cells differ."""
    records = sorted(whole.rglob("record.json"))
    different = [
        str(record.parent.relative_to(whole))
        for record in records
        if contents(record.parent) != contents(killed / record.parent.relative_to(whole))
    ]
    left = [str(path) for path in killed.glob("*/*/*/.*") if path.name != ".lock"]
    verdict = {"cells": len(records), "kills": times, "undisturbed_seconds": round(seconds)}
    print(json.dumps({**verdict, "different": different, "left_behind": left}))
    return 1 if different or left or not records else 0


if __name__ == "__main__":
    sys.exit(main())
