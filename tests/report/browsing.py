"""A report's page in a real browser, as a person would use it."""

import shutil
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from selenium.webdriver import ActionChains, Chrome
    from selenium.webdriver.remote.webelement import WebElement

_PATIENCE = 30  # seconds, for a machine that does other things too
_FLAGS = (
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
)


@contextmanager
def chromium(profile: Path) -> "Iterator[Chrome]":
    """A Chromium of this machine, or a skip where it has none."""
    webdriver = pytest.importorskip("selenium.webdriver", reason="selenium is not installed")
    names = ("chromium", "chromium-browser", "google-chrome")
    browser = next((path for name in names if (path := shutil.which(name))), None)
    driver = shutil.which("chromedriver")
    if not browser or not driver:
        pytest.skip("no Chromium with chromedriver is installed")
    options = webdriver.ChromeOptions()
    options.binary_location = browser
    for flag in (*_FLAGS, f"--user-data-dir={profile}"):
        options.add_argument(flag)
    options.set_capability("goog:loggingPrefs", {"browser": "ALL"})
    running = webdriver.Chrome(options=options, service=webdriver.ChromeService(driver))
    try:
        yield running
    finally:
        running.quit()


class Page:
    """An opened page."""

    def __init__(self, driver: "Chrome", path: Path, width: int = 1200, fragment: str = "") -> None:
        self.driver = driver
        size = {"width": width, "height": 1000, "deviceScaleFactor": 1, "mobile": width < 600}
        driver.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", size)
        driver.get_log("browser")  # what an earlier page said
        driver.get("about:blank")  # so that the same file with another anchor is loaded afresh
        driver.get(path.as_uri() + fragment)

    def wait_for_plots(self) -> None:
        self.wait(lambda: self.all(".js-plotly-plot .main-svg"))

    def wait(self, met: Callable[[], Any]) -> None:
        until = time.monotonic() + _PATIENCE
        while not met():
            assert time.monotonic() < until, "waited in vain"
            time.sleep(0.05)

    def run(self, script: str, *arguments: Any) -> Any:
        return self.driver.execute_script(script, *arguments)

    def all(self, selector: str) -> "list[WebElement]":
        return self.driver.find_elements("css selector", selector)

    def one(self, selector: str) -> "WebElement":
        """The first that is shown."""
        return next(each for each in self.all(selector) if each.is_displayed())

    def texts(self, selector: str) -> list[str]:
        return [each.text for each in self.all(selector) if each.is_displayed()]

    def press(self, element: "WebElement", *keys: str) -> None:
        """Focus an element and press keys, by their names in selenium's `Keys`."""
        from selenium.webdriver import Keys

        self.run("arguments[0].focus()", element)
        self._moves().send_keys(*(getattr(Keys, key) for key in keys)).perform()

    def scroll_to(self, selector: str) -> None:
        self.run("document.querySelector(arguments[0]).scrollIntoView()", selector)

    def click(self, element: "WebElement") -> None:
        self.run("arguments[0].scrollIntoView({block: 'center'})", element)
        element.click()

    def drag(self, element: "WebElement", right: int, down: int = 0) -> None:
        self.run("arguments[0].scrollIntoView({block: 'center'})", element)
        moves = self._moves().click_and_hold(element)
        for _ in range(4):
            moves = moves.move_by_offset(right // 4, down // 4)
        moves.release().perform()

    def hover(self, x: float, y: float) -> "ActionChains":
        """Move to a place in the window, ready to click."""
        moves = self._moves()
        moves.w3c_actions.pointer_action.move_to_location(int(x), int(y))
        moves.perform()
        return moves

    def _moves(self) -> "ActionChains":
        from selenium.webdriver import ActionChains

        return ActionChains(self.driver)

    def dialled(self) -> list[list[float]]:
        """The large marks' places in the first plot that is shown."""
        return self.run(
            "const plot = [...document.querySelectorAll('.js-plotly-plot')]"
            ".find((each) => each.offsetParent);"
            "return plot.data.filter((trace) => trace.error_x)"
            ".map((trace) => [trace.x[0], trace.y[0]])"
        )

    def on_screen(self, x: float, y: float) -> Sequence[float]:
        """Window coordinates of a point of the first plot."""
        return self.run(
            "const plot = document.querySelector('.js-plotly-plot');"
            "plot.scrollIntoView({block: 'center'});"
            "const box = plot.getBoundingClientRect(), {xaxis, yaxis} = plot._fullLayout;"
            "return [box.left + xaxis._offset + xaxis.d2p(arguments[0]),"
            " box.top + yaxis._offset + yaxis.d2p(arguments[1])]",
            x,
            y,
        )

    @property
    def complaints(self) -> list[str]:
        return [entry["message"] for entry in self.driver.get_log("browser")]
