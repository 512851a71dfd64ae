"""Cost of large sweeps: `make scale [CELLS=1000]`, a report and whether a cell is finished.

The processor's time changes less on a busy machine than the clock's. Limits are of memory and of
ratios measured in one run, so that they mean the same on any machine.
"""

from __future__ import annotations

import argparse
import resource
import subprocess
import sys
import tempfile
import time
from contextlib import redirect_stderr, redirect_stdout
from dataclasses import dataclass
from io import StringIO
from itertools import islice
from pathlib import Path

from scale_cells import sweep_configs, write_sweep, write_wide_cells

from paretosteer.cells.plan import plan_cell
from paretosteer.cells.runner import run_cell
from paretosteer.sweeps.compose import compose_sweep
from paretosteer.tracking import make_tracker

COUNT = 300  # cells over which a mean is taken
MOST_MEMORY = 2000  # MB
MOST_GROWTH = 1.5  # of the seconds for a cell, from a tenth of the cells to all
MOST_DECIDING = 0.2  # of the time in which Hydra composes a cell


@dataclass(frozen=True)
class Cost:
    """Cost of a report: wall-clock and CPU seconds, MB of memory and of the page."""

    clock: float
    processor: float
    memory: float
    page: float

    def __str__(self) -> str:
        size = f"{self.memory:,.0f} MB of memory, a page of {self.page:.1f} MB"
        return f"{self.clock:.0f} s by the clock, {self.processor:.0f} s of the processor, {size}"


def main() -> int:
    """Write the folders, then measure and print; 1 if a limit is passed."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--cells", type=int, default=10_000)
    parser.add_argument("--points", type=int, default=1_000, help="of the cells of 8 objectives")
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        tenth, sweep, wide = (Path(folder) / name for name in ("tenth", "sweep", "wide"))
        write_sweep(tenth, given.cells // 10)
        write_sweep(sweep, given.cells)
        write_wide_cells(wide, given.points)
        deciding, composing = (
            _milliseconds_to_decide(sweep, given.cells),
            _milliseconds_to_compose(),
        )
        print(f"is a cell finished? {deciding:.2f} ms; to compose one takes {composing:.0f} ms")
        costs = [_report(each) for each in (tenth, sweep, wide)]
        print(f"report of {given.cells // 10:,} cells: {costs[0]}")
        print(f"report of {given.cells:,} cells: {costs[1]}")
        print(f"report of two cells of 8 objectives, {given.points:,} points: {costs[2]}")
        limits = {
            "memory, MB": (max(cost.memory for cost in costs), MOST_MEMORY),
            "growth": (costs[1].processor / costs[0].processor / 10, MOST_GROWTH),
            "deciding": (deciding / composing, MOST_DECIDING),
        }
        passed = {name: value for name, value in limits.items() if value[0] > value[1]}
        for name, (found, most) in passed.items():
            print(f"{name}: {found:.3g}, at most {most} was wanted")
        return 1 if passed else 0


def _milliseconds_to_decide(sweep: Path, cells: int) -> float:
    """Time to plan a cell and to find it finished, given its composed configuration."""
    configs = list(islice(sweep_configs(sweep, cells), min(COUNT, cells)))
    plan_cell(configs[0])  # imports
    began = time.process_time()
    with redirect_stdout(StringIO()), redirect_stderr(StringIO()):
        for config in configs:
            run_cell(plan_cell(config), make_tracker(config.tracker))
    return 1000 * (time.process_time() - began) / len(configs)


def _milliseconds_to_compose() -> float:
    """Time that Hydra takes per cell of a sweep."""
    began = time.process_time()
    compose_sweep([f"seed=range({COUNT})"])
    return 1000 * (time.process_time() - began) / COUNT


def _report(folder: Path) -> Cost:
    """Cost of `paretosteer report`; memory is that of its largest process."""
    before, began = _seconds(), time.monotonic()
    command = [str(Path(sys.executable).with_name("paretosteer")), "report", str(folder)]
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
    memory = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss / 1024
    page = (folder / "report" / "index.html").stat().st_size / 1e6
    return Cost(time.monotonic() - began, _seconds() - before, memory, page)


def _seconds() -> float:
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


if __name__ == "__main__":
    sys.exit(main())
