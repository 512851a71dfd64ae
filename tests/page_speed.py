"""Time that the page of a large table takes to open in a browser: `make speed`."""

import argparse
import sys
import tempfile
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent / "report"))
from browsing import Page, chromium
from report_cells import concave, write_cell

from paretosteer.report import write_report
from paretosteer.simplex import lattice

METHODS = (
    *("rewarded_soup", "bone_soup", "clp", "cos_dpo", "interpolation", "panacea", "pblora"),
    *("pareto_merging", "mo_odpo", "mi_epo", "ric", "mod"),
)
OBJECTIVES, DIVISIONS, PROMPTS = 3, 10, 100
_TEXT = "Once there was a fox who lived near the river and looked for a friend. " * 2

# Milliseconds since the navigation began at which the first plot was on the screen.
_WATCH = """
const watch = () => {
  if (document.querySelector(".js-plotly-plot .main-svg")) {
    requestAnimationFrame(() => { window.plotted = performance.now(); });
  } else requestAnimationFrame(watch);
};
watch();
"""


def large_page(folder: Path, methods: int, divisions: int, prompts: int) -> Path:
    """Path of the page of methods of one seed each on concave fronts."""
    grid = lattice(OBJECTIVES, divisions).tolist()
    for place, method in enumerate(METHODS[:methods]):
        front = concave(2 - 0.05 * place)
        write_cell(folder / "cells", method, front, grid=grid, prompts=prompts, text=_TEXT)
    return write_report([folder / "cells"], out=folder / "report").page


def opening_seconds(page: Path, width: int, repeats: int) -> list[tuple[float, float]]:
    """Processor time of the main thread and wall time of each opening, to the first plot.

    The first opening is that of a browser that has just started.
    """
    with tempfile.TemporaryDirectory() as place, chromium(Path(place)) as driver:
        source = {"source": _WATCH}
        driver.execute_cdp_cmd("Page.addScriptToEvaluateOnNewDocument", source)
        times = []
        for _ in range(repeats):
            driver.get("about:blank")
            driver.execute_cdp_cmd("Performance.enable", {"timeDomain": "threadTicks"})
            opened = Page(driver, page, width=width)
            opened.wait(lambda opened=opened: opened.run("return window.plotted"))
            metrics = driver.execute_cdp_cmd("Performance.getMetrics", {})["metrics"]
            busy = next(each["value"] for each in metrics if each["name"] == "TaskDuration")
            times.append((busy, opened.run("return window.plotted") / 1000))
    return times


def main(methods: int, divisions: int, prompts: int, repeats: int = 4) -> None:
    """Build one page, open it, and print how long that took."""
    points = len(lattice(OBJECTIVES, divisions))
    with tempfile.TemporaryDirectory() as place:
        page = large_page(Path(place), methods, divisions, prompts)
        print(
            f"{methods} methods x {points} preferences x {prompts} prompts: page of "
            f"{page.stat().st_size / 1e6:.1f} MB"
        )
        for number, (busy, seconds) in enumerate(opening_seconds(page, 1280, repeats), 1):
            print(f"opening {number}: {busy:.2f} s of processor time, opened in {seconds:.2f} s")


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--methods", type=int, default=len(METHODS))
    parser.add_argument("--divisions", type=int, default=DIVISIONS)
    parser.add_argument("--prompts", type=int, default=PROMPTS)
    main(**vars(parser.parse_args()))
