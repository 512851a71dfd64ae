"""Take the picture of the page that README and docs show, of the quickstart's archived cells."""

import argparse
import base64
import tempfile
from pathlib import Path

from browsing import Page, chromium
from keep_reference import CELLS, unpack

from paretosteer.report import write_report

CHECKOUT = Path(__file__).parents[1]


def picture(target: Path, width: int = 1100, height: int = 1640) -> None:
    """Write the top of the page as a PNG."""
    archive = CHECKOUT / "results/reference/quickstart" / CELLS
    with tempfile.TemporaryDirectory() as place, chromium(Path(place) / "profile") as driver:
        page = Page(driver, write_report([unpack(archive, Path(place))]).page, width=width)
        page.wait_for_plots()
        clip = {"x": 0, "y": 0, "width": width, "height": height, "scale": 1}
        options = {"format": "png", "clip": clip, "captureBeyondViewport": True}
        shot = driver.execute_cdp_cmd("Page.captureScreenshot", options)
    target.write_bytes(base64.b64decode(shot["data"]))


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("target", type=Path, nargs="?", default=CHECKOUT / "docs/images/page.png")
    picture(parser.parse_args().target)
