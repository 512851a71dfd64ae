"""What large sweeps cost: `make scale [CELLS=1000]`, a report and whether a cell is finished.

The processor's time changes less on a busy machine than the clock's.
"""

from __future__ import annotations

import argparse
import resource
import subprocess
import sys
import tempfile
import time
from contextlib import redirect_stderr, redirect_stdout
from io import StringIO
from itertools import islice
from pathlib import Path

from scale_cells import sweep_configs, write_sweep, write_wide_cells

from paretosteer.cells.config import CellConfig
from paretosteer.cells.plan import plan_cell
from paretosteer.cells.run import run_cell
from paretosteer.tracking import make_tracker


def main() -> None:
    """Write the folders, then measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--cells", type=int, default=10_000)
    parser.add_argument("--points", type=int, default=1_000, help="of the cells of 8 objectives")
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        sweep, wide = Path(folder) / "sweep", Path(folder) / "wide"
        write_sweep(sweep, given.cells)
        configs = list(islice(sweep_configs(sweep, given.cells), 300))
        print(f"is a cell finished? {_milliseconds_to_decide(configs):.2f} ms a cell")
        print(f"report of {given.cells:,} cells: {_report(sweep)}")
        write_wide_cells(wide, given.points)
        print(f"report of two cells of 8 objectives, {given.points:,} points: {_report(wide)}")


def _milliseconds_to_decide(configs: list[CellConfig]) -> float:
    """What planning a cell and recognising it as finished take, its configuration composed."""
    plan_cell(configs[0])  # imports
    began = time.process_time()
    with redirect_stdout(StringIO()), redirect_stderr(StringIO()):
        for config in configs:
            run_cell(config, make_tracker(config.tracker))
    return 1000 * (time.process_time() - began) / len(configs)


def _report(folder: Path) -> str:
    """Time, largest memory of any of its processes, and bytes of the page."""
    before, began = _seconds(), time.monotonic()
    command = [str(Path(sys.executable).with_name("paretosteer")), "report", str(folder)]
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
    memory = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss / 1024
    page = (folder / "report" / "index.html").stat().st_size / 1e6
    clock, used = time.monotonic() - began, _seconds() - before
    size = f"{memory:,.0f} MB of memory, a page of {page:.1f} MB"
    return f"{clock:.0f} s by the clock, {used:.0f} s of the processor, {size}"


def _seconds() -> float:
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


if __name__ == "__main__":
    main()
