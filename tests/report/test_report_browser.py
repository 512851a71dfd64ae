"""The page in a real browser: sort, switch, turn the dial; nothing that was written runs."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pytest
from browsing import Page, chromium
from report_cells import EDGE, TRIANGLE, concave, write_bandit, write_cell

from paretosteer.report import Report, write_report

pytestmark = pytest.mark.figures

if TYPE_CHECKING:
    from selenium.webdriver import Chrome

FIELD = Path(__file__).parents[2] / "results" / "reference" / "field" / "index.html"
FOUR = [[1.0 if i == j else 0.0 for i in range(4)] for j in range(4)] + [[0.25] * 4]
HOSTILE = (
    "</script><script>window.ran = 1</script><img src=x onerror='window.ran = 1'>"
    '"><svg onload="window.ran = 1"><a href="javascript:window.ran = 1">&lt;b&gt;</a>\u2028{{7*7}}'
)


@pytest.fixture(scope="module")
def driver(tmp_path_factory: pytest.TempPathFactory) -> "Iterator[Chrome]":
    with chromium(tmp_path_factory.mktemp("profile")) as running:
        yield running


@pytest.fixture(scope="module")
def three(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Three objectives, one method with a cube of its own."""
    folder = tmp_path_factory.mktemp("three")
    names = ("sentiment", "variety", "brevity")
    corners = [
        {f"alpha_{name}": float(place >> i & 1) for i, name in enumerate(names)}
        for place in range(8)
    ]
    write_cell(folder, "clp", concave(2.4), grid=TRIANGLE)
    write_cell(folder, "bone_soup", concave(2.2), grid=TRIANGLE)
    changes = {"points": [{"preference": mu, "dials": {}} for mu in TRIANGLE]}
    changes["points"] += [{"preference": [1 / 3] * 3, "dials": dial} for dial in corners]
    grid = [*TRIANGLE, *[[1 / 3] * 3] * 8]
    write_cell(folder, "interpolation", concave(1.0), grid=grid, changes=changes)
    return write_report([folder]).page


@pytest.fixture(scope="module")
def several(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A table with an oracle, and one of four objectives."""
    folder = tmp_path_factory.mktemp("several")
    write_bandit(folder / "a", "clp", 0.9, grid=EDGE)
    write_bandit(folder / "a", "rewarded_soup", 0.7, grid=EDGE)
    names = ("one", "two", "three", "four")
    changes = {"normaliser": {"mean": [0.0] * 4, "std": [1.0] * 4}}
    write_cell(folder / "b", "clp", concave(2.0), grid=FOUR, names=names, changes=changes)
    return write_report([folder]).page


def test_plots_need_no_network(driver: "Chrome", report: Report) -> None:
    page = Page(driver, report.page)
    page.wait_for_plots()
    assert page.run("return performance.getEntriesByType('resource').length") == 0
    assert not page.run("return document.querySelector('details.still').open")
    assert page.complaints == []


def test_headings_sort(driver: "Chrome", report: Report) -> None:
    page = Page(driver, report.page)

    def column(place: int) -> list[float]:
        return page.run(
            "return [...arguments[0].tBodies[0].rows].map((row) => row.cells[arguments[1]])"
            ".filter((cell) => cell.dataset.value).map((cell) => Number(cell.dataset.value))",
            page.one("table.sortable"),
            place,
        )

    volumes, method = column(1), page.one("th button.sort")
    assert volumes == sorted(volumes, reverse=True)
    headings = page.all("table.sortable th button")[:10]
    loss = next(each for each in headings if each.text.startswith("Utility"))
    page.click(loss)
    heading = page.run("return arguments[0].closest('th')", loss)
    assert heading.get_attribute("aria-sort") == "ascending"  # the less the better
    place = page.run("return arguments[0].cellIndex", heading)
    assert column(place) == sorted(column(place))
    page.press(loss, "ENTER")
    assert heading.get_attribute("aria-sort") == "descending"
    assert column(place) == sorted(column(place), reverse=True)
    assert len(page.all("table.sortable")[0].find_elements("css selector", "[aria-sort]")) == 1
    # Rows that were not scored stay last, whichever way.
    assert page.texts("table.sortable tbody tr:last-child td:last-child")[0] != "ok"
    page.click(method)
    assert "interpolation" in page.texts("table.sortable tbody")[0]


def test_slider_turns_by_mouse_and_keys(driver: "Chrome", report: Report) -> None:
    page = Page(driver, report.page)
    page.wait_for_plots()
    points, written = page.dialled(), page.texts(".card .written")
    assert len(points) == len(written) == 7
    slider = page.one("input[type=range]")
    page.drag(slider, right=slider.size["width"])
    assert "100 %" in page.one(".readout").text
    page.wait(lambda: page.dialled() != points)
    assert all("[1. 0.]" in text for text in page.texts(".card .written"))
    page.press(slider, "HOME")
    page.wait(lambda: all("[0. 1.]" in text for text in page.texts(".card .written")))
    assert slider.get_attribute("aria-valuetext") == "sentiment 0\u00a0%, variety 100\u00a0%"
    page.press(slider, *["ARROW_RIGHT"] * 15)
    assert "(0.25, 0.75)" in page.one(".console .small").text
    assert page.complaints == []


def test_prompt_and_methods_are_chosen(driver: "Chrome", report: Report) -> None:
    page = Page(driver, report.page)
    page.wait_for_plots()
    assert page.one(".prompt").text == "Prompt 0"
    page.click(page.one("[aria-label='Next prompt']"))
    assert page.one(".prompt").text == "Prompt 1"
    page.press(page.one("select[aria-label=Prompt]"), "END")
    assert page.one(".prompt").text == "Prompt 11"
    page.click(page.one(".console .toggle"))
    assert len(page.texts(".card")) == 6
    assert "Steps 120 · FLOPs 2.5 T · Training 60 s" in page.texts(".card .bill")
    page.wait(lambda: len(page.dialled()) == 6)


def test_chats_are_shown_by_their_last_turn(driver: "Chrome", tmp_path: Path) -> None:
    samples = write_cell(tmp_path, "clp", concave(2.0)) / "samples.jsonl"
    lines = list(map(json.loads, samples.read_text().splitlines()))
    for each in lines:
        each["prompt"] = f"<|system|>\nBe kind.\n<|user|>\n{each['prompt']}\n<|assistant|>\n"
    samples.write_text("\n".join(map(json.dumps, lines)))
    page = Page(driver, write_report([tmp_path]).page)
    page.wait_for_plots()
    assert page.one(".prompt").text == "Prompt 0"
    assert page.texts("[aria-label=Prompt] option")[1] == "2. Prompt 1"
    page.click(page.one(".prompts summary"))
    assert page.one(".whole").text.startswith("<|system|>\nBe kind.\n<|user|>\nPrompt 0")


def test_a_damaged_best_method_is_marked(driver: "Chrome", tmp_path: Path) -> None:
    write_cell(tmp_path, "bone_soup", concave(2.4), kl=49.5)
    write_cell(tmp_path, "clp", concave(2.0), kl=3.0)
    page = Page(driver, write_report([tmp_path]).page)
    page.wait_for_plots()
    assert "best here ⚠ damaged" in page.texts(".card .badge")
    assert "best undamaged: clp, utility" in page.texts(".leader")[0]
    drifts = {text.partition("KL ")[2] for text in page.texts(".card .sums:not(.bill)")}
    assert {text.startswith("⚠ ") for text in drifts} == {True, False}
    page.click(page.all(".console .toggle")[1])
    assert not page.texts(".leader")  # one method has nothing to be compared with


def test_points_tell_and_turn(driver: "Chrome", report: Report) -> None:
    page = Page(driver, report.page)
    page.wait_for_plots()
    x, y = page.run(
        "const {data} = document.querySelector('.js-plotly-plot');"
        "const front = data.find((trace) => trace.customdata && trace.customdata.length > 1);"
        "return [front.x.at(-1), front.y.at(-1)]"
    )
    moves = page.hover(*page.on_screen(x, y))
    page.wait(lambda: page.all(".hoverlayer .hovertext"))
    told = page.run("return document.querySelector('.hoverlayer').textContent")
    for word in ("preference (1.00, 0.00)", "sentiment", "[", "KL 3.0"):
        assert word in told
    moves.click().perform()
    page.wait(lambda: "100 %" in page.one(".readout").text)


def test_triangle_turns_by_mouse_and_keys(driver: "Chrome", three: Path) -> None:
    page = Page(driver, three)
    page.wait_for_plots()
    points = page.dialled()
    handle = page.one(".triangle .handle")
    page.drag(handle, right=0, down=-200)
    assert handle.get_attribute("aria-valuetext").startswith("sentiment 100\u00a0%")
    page.wait(lambda: page.dialled() != points)
    assert all("[1. 0. 0.]" in text for text in page.texts(".card .written")[:2])
    page.press(handle, *["ARROW_DOWN"] * 20, *["ARROW_RIGHT"] * 20)
    assert handle.get_attribute("aria-valuetext").endswith("brevity 100\u00a0%")
    page.press(handle, "HOME")
    assert handle.get_attribute("aria-valuenow") == "33"
    before = page.dialled()
    page.press(page.one("select[aria-label=Plane]"), "ARROW_DOWN")
    page.wait(lambda: page.dialled() != before)
    assert page.complaints == []


def test_three_objectives_have_their_own_plots(driver: "Chrome", three: Path) -> None:
    page = Page(driver, three)
    page.wait_for_plots()
    for name, kind in (("Best method by preference", "ternary"), ("Objectives of", "polar")):
        page.scroll_to(f"[aria-label^='{name}']")  # drawn when about to be seen
        page.wait(lambda kind=kind: page.all(f".js-plotly-plot .{kind}layer > *"))
    best = "return document.querySelector(\"[aria-label^='Best method']\").textContent"
    names = page.run(best)
    assert "brevity" in names and "Component" not in names  # as Plotly would call it
    assert "own dial α of sentiment" in " ".join(page.texts(".heat th"))


def test_tables_switch_and_sliders_share(driver: "Chrome", several: Path) -> None:
    page = Page(driver, several)
    page.wait_for_plots()
    assert len(page.texts("section[data-table]")) == 1
    first, second = page.all("nav .toggle")
    page.press(second, "ENTER")
    assert [each.get_attribute("aria-pressed") for each in (first, second)] == ["false", "true"]
    assert len(page.texts("section[data-table]")) == 1
    sliders = page.all(".sliders input")
    page.press(sliders[2], "END")
    assert page.texts(".sliders output") == ["0 %", "0 %", "100 %", "0 %"]
    page.press(sliders[0], *["PAGE_UP"] * 5)
    shares = [int(text.split()[0]) for text in page.texts(".sliders output")]
    assert shares[0] == 50 and sum(shares) == 100
    page.click(page.all("p.lead a")[0])
    page.wait(lambda: first.get_attribute("aria-pressed") == "true")
    assert "thin line is the oracle" in page.one(".screen").text


def test_cost_is_chosen(driver: "Chrome", report: Report) -> None:
    page = Page(driver, report.page)
    page.wait_for_plots()
    select = page.one("select[aria-label=Cost]")
    chart = "[aria-label='Hypervolume against cost']"
    page.scroll_to(chart)
    shown = f'return document.querySelector("{chart}")._fullLayout?.xaxis.title.text'
    page.wait(lambda: page.run(shown) == "Steps")
    page.press(select, "END")
    page.wait(lambda: page.run(shown) == "Stored, bytes")


def test_quality_at_equal_drift_and_against_budget(driver: "Chrome", tmp_path: Path) -> None:
    for steps in (60, 120):
        write_cell(tmp_path, "clp", concave(1 + steps / 120), steps=steps)
    page = Page(driver, write_report([tmp_path]).page)
    page.wait_for_plots()
    charts = {
        "Hypervolume of the points below a KL from the start model": 2,  # a line for each row
        "Hypervolume against budget": 1,  # one for both
    }
    for name, lines in charts.items():
        chart = f"[aria-label='{name}']"
        page.scroll_to(chart)
        drawn = f'return document.querySelector("{chart}").data?.length'
        page.wait(lambda drawn=drawn, lines=lines: page.run(drawn) == lines)
    caps = f'return document.querySelector("{chart}").data[0].x'
    assert page.run(caps) == [60, 120]
    assert not page.complaints


def test_dark_when_asked(driver: "Chrome", report: Report) -> None:
    page = Page(driver, report.page)
    page.wait_for_plots()
    ink = "return document.querySelector('.js-plotly-plot')._fullLayout.font.color"
    ground = "return getComputedStyle(document.body).backgroundColor"
    light = page.run(ink), page.run(ground)
    dark = [{"name": "prefers-color-scheme", "value": "dark"}]
    driver.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": dark})
    try:
        page.wait(lambda: page.run(ink) != light[0])
        assert page.run(ground) != light[1]
    finally:
        driver.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": []})


def test_wide_tables_say_that_they_scroll(driver: "Chrome", report: Report) -> None:
    page = Page(driver, report.page, width=390)
    page.wait(lambda: page.all(".scroll.wide.more"))
    box = page.one(".scroll.wide.more")
    hint = "return getComputedStyle(arguments[0], '::before').content"
    assert "Scroll sideways" in page.run(hint, box)
    assert box.get_attribute("tabindex") == "0" and box.get_attribute("role") == "region"
    page.run("arguments[0].scrollLeft = 10_000", box)
    page.wait(lambda: "more" not in box.get_attribute("class").split())


def test_static_figures_scroll_in_their_own_box(driver: "Chrome", report: Report) -> None:
    page = Page(driver, report.page, width=390)
    page.wait_for_plots()
    page.run("document.querySelectorAll('details').forEach((each) => { each.open = true; })")
    wide = "return document.querySelector('figure .scroll img').getBoundingClientRect().width"
    page.wait(lambda: page.run(wide) > 390)
    assert page.run("return document.documentElement.scrollWidth") <= 390


def test_headings_explain_themselves(driver: "Chrome", report: Report) -> None:
    page = Page(driver, report.page)
    page.wait(lambda: page.all("#tip"))
    loss = next(each for each in page.all("th .sort") if each.text.startswith("Utility"))
    page.press(loss, "SHIFT")
    assert page.one("#tip").text == loss.get_attribute("aria-description") != ""
    page.press(loss, "ESCAPE")
    assert not page.all("#tip")[0].is_displayed()


def test_a_status_leads_to_its_provenance(driver: "Chrome", report: Report) -> None:
    page = Page(driver, report.page)
    page.wait_for_plots()
    row = next(each for each in page.all("tr") if each.text.startswith("bone_soup stories"))
    page.click(row.find_elements("css selector", "td a")[1])
    page.wait(lambda: page.all("details:target[open]"))
    assert page.one("details:target summary").text == "bone_soup, seed 1: ok"
    assert "method=bone_soup seed=1" in page.one("details:target code").text
    card = next(each for each in page.all(".card") if "rewarded_soup" in each.text)
    page.click(card.find_elements("link text", "seed 1")[0])
    page.wait(lambda: "rewarded_soup, seed 1: ok" in page.texts("details:target summary"))


def test_dial_position_can_be_shared(driver: "Chrome", report: Report, three: Path) -> None:
    page = Page(driver, report.page)
    page.wait_for_plots()
    page.press(page.one("input[type=range]"), "END")
    page.click(page.one(".console .toggle"))
    page.click(page.one("[aria-label='Next prompt']"))
    shared = "#table-1&weights=1,0&prompt=2&hidden=0"
    page.wait(lambda: page.run("return location.hash") == shared)
    link = next(each for each in page.all(".console a") if each.is_displayed())
    assert link.get_attribute("href").endswith(shared)
    page = Page(driver, report.page, fragment=shared)
    page.wait_for_plots()
    assert "100 %" in page.one(".readout").text and page.one(".prompt").text == "Prompt 1"
    assert len(page.texts(".card")) == 6
    for wrong in ("weights=1,0", "weights=0,0,0", "weights=a,b,c", "weights=-1,1,1", "%E0%A4%A"):
        page = Page(driver, three, fragment=f"#table-1&{wrong}")
        page.wait_for_plots()
        assert page.texts(".readout b") == ["33 %"] * 3 and page.complaints == []


def test_texts_are_found(driver: "Chrome", report: Report) -> None:
    page = Page(driver, report.page)
    page.wait_for_plots()
    page.scroll_to("[data-part=samples]")
    page.wait(lambda: page.texts("[role=status]"))
    # Eleven cells; `cos_dpo` has two values of a dial.
    count = 12 * 5 * 12
    assert f"12 of {count} matching texts, {count} in all." in page.texts("[role=status]")[0]

    def samples() -> list[str]:
        every = "[...document.querySelectorAll('.sample')]"
        return page.run(f"return {every}.map((each) => each.innerText)")

    def choose(label: str, text: str) -> None:
        select = page.one(f"select[aria-label='{label}']")
        option = next(
            each
            for each in select.find_elements("css selector", "option")
            if each.get_attribute("textContent").startswith(text)
        )
        page.click(option)

    choose("Method", "cos_dpo")
    choose("Preference", "(1, 0), temperature 0.5")
    assert "12 of 12 matching" in page.texts("[role=status]")[0]
    choose("Order", "Highest sentiment")
    scores = [
        float(text.split()[1].replace("−", "-")) for text in page.texts(".sample li:first-child")
    ]
    assert scores == sorted(scores, reverse=True) and len(scores) == 12
    choose("Prompt of the texts", "3.")
    assert len(samples()) == 1 and "Prompt 2" in samples()[0]
    choose("Method", "rewarded_soup")
    choose("Preference", "All")
    assert len(samples()) == 10 and "seed 1" in samples()[-1]
    page.one("input[type=search]").send_keys("FOX. [1.")
    page.wait(lambda: len(samples()) == 2)
    assert page.texts(".sample mark") == ["fox. [1."] * 2
    assert page.complaints == []


def test_learning_curves_are_drawn(driver: "Chrome", tmp_path: Path) -> None:
    folder = write_cell(tmp_path, "clp", concave(2.0))
    write_cell(tmp_path, "bone_soup", concave(1.0))
    lines = "".join(f"{n},{'ab'[n > 50]},{n / 10},0.5\n" for n in range(1, 101))
    (folder / "training.csv").write_text(f"step,phase,loss,sentiment\n{lines}")
    page = Page(driver, write_report([tmp_path]).page)
    page.wait_for_plots()
    chart = "[aria-label='Learning curves']"
    page.scroll_to(chart)
    drawn = f'return document.querySelector("{chart}").data'
    page.wait(lambda: page.run(f"{drawn}?.length") == 1)
    page.press(page.one("select[aria-label=Quantity]"), "END")
    page.wait(lambda: max(page.run(drawn)[0]["y"], key=lambda y: y or 0) > 9)
    assert page.run(drawn)[0]["y"].count(None) == 1  # between the phases


def test_phone_scrolls_one_way(driver: "Chrome", report: Report, three: Path) -> None:
    for path in (report.page, three):
        page = Page(driver, path, width=360)
        page.wait_for_plots()
        assert page.run("return document.documentElement.scrollWidth") <= 360


@pytest.mark.slow
@pytest.mark.parametrize("width", [390, 1280])
def test_the_page_of_every_method_fits(driver: "Chrome", width: int) -> None:
    page = Page(driver, FIELD, width=width)
    page.wait(lambda: page.all(".scroll"))
    assert page.run("return document.documentElement.scrollWidth") <= width
    box = page.one(".main").find_element("xpath", "..")
    wide = page.run("return arguments[0].scrollWidth > arguments[0].clientWidth", box)
    assert wide == (width < 600)


def test_points_far_out_are_arrows_that_a_button_shows(driver: "Chrome", tmp_path: Path) -> None:
    for place in range(5):
        write_cell(tmp_path, "clp", concave(2 - place / 20), place=place)
    write_cell(tmp_path, "mi_epo", lambda mu: np.array([2.0, -9.0]) * mu + 0.5)
    page = Page(driver, write_report([tmp_path]).page)
    page.wait_for_plots()
    drawn = "document.querySelector('.js-plotly-plot')"
    lowest = f"return {drawn}._fullLayout.yaxis.range[0]"
    arrows = f"return {drawn}.data.filter((each) => each.marker?.symbol === 'arrow').length"
    assert page.run(lowest) > -5 and page.run(arrows) == 1
    assert min(y for _, y in page.dialled()) > -5
    page.click(next(each for each in page.all("button") if each.text == "Show all points"))
    page.wait(lambda: page.run(lowest) < -8)
    assert page.run(arrows) == 0
    assert page.complaints == []


def test_without_unpacking_stills_stay(driver: "Chrome", report: Report) -> None:
    script = {"source": "delete window.DecompressionStream"}
    added = driver.execute_cdp_cmd("Page.addScriptToEvaluateOnNewDocument", script)
    try:
        page = Page(driver, report.page)
        page.wait(lambda: page.texts(".failing"))
        assert page.one("details.still img").is_displayed()
        slider = page.one("input[type=range]")
        page.press(slider, "END")
        assert all("[1. 0.]" in text for text in page.texts(".card .written"))
    finally:
        driver.execute_cdp_cmd("Page.removeScriptToEvaluateOnNewDocument", added)


@pytest.mark.filterwarnings("ignore:constrained_layout")  # such long names leave no room
@pytest.mark.parametrize(
    "grid", [EDGE, *(pytest.param(grid, marks=pytest.mark.slow) for grid in (TRIANGLE, FOUR))]
)
def test_hostile_text_stays_text(driver: "Chrome", tmp_path: Path, grid: list[list[float]]) -> None:
    m = len(grid[0])
    names = [f"{i}{HOSTILE}" for i in range(m)]
    changes = {
        "normaliser": {"mean": [0.0] * m, "std": [1.0] * m},
        "command": HOSTILE,
        "notes": [HOSTILE],
    }
    for variant in ("", HOSTILE):
        write_cell(
            tmp_path,
            "clp",
            concave(2.0),
            variant=variant,
            names=names,
            grid=grid,
            text=HOSTILE,
            changes=changes,
            scope=variant,
        )
    page = Page(driver, write_report([tmp_path]).page)
    page.wait_for_plots()
    for x, y in page.dialled():
        page.hover(*page.on_screen(x, y))
        page.wait(lambda: page.all(".hoverlayer .hovertext"))
    page.press(page.one("select"), "ARROW_DOWN")
    page.press(page.one("th .sort"), "SHIFT")
    for button in page.all("th button")[:3]:
        page.click(button)
    page.scroll_to("[data-part=samples]")
    page.wait(lambda: page.all(".sample"))
    assert HOSTILE in page.run("return document.querySelector('.sample').textContent")
    page.one("input[type=search]").send_keys("<img src=x")
    page.wait(lambda: page.all(".sample mark"))
    assert HOSTILE in page.run("return document.querySelector('.sample').textContent")
    shown = page.run("return document.querySelector('.card .written').textContent")
    assert shown.startswith(HOSTILE)
    assert page.run("return window.ran") is None
    unknown = "body script:not(#tables, #plotly, :last-of-type), img:not([src^='data:']), [onload]"
    assert page.run(f"return document.querySelectorAll({unknown!r}).length") == 0
    assert page.run("return document.querySelectorAll('svg a, [onerror]').length") == 0
    assert page.complaints == []
