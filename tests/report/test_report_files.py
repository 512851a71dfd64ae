"""The files of a report: whole, self-contained, the same each time, and safe to open."""

import json
import re
import subprocess
import sys
from html.parser import HTMLParser
from importlib.resources import files
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from report_cells import GRID, TRIANGLE, concave, only, write_cell, write_unscored

from paretosteer.cells.cell import find_cells
from paretosteer.errors import UsageError
from paretosteer.plugins import registry
from paretosteer.report import Report, print_leaderboard, write_report
from paretosteer.report.analysis.drawn_ranges import beyond, drawn_ranges
from paretosteer.report.analysis.evaluate_table import evaluate
from paretosteer.report.analysis.tables import make_tables
from paretosteer.report.figures.all_figures import DRAWINGS, FRONTS, render
from paretosteer.report.figures.canvas import look
from paretosteer.report.figures.front_planes import draw_fronts
from paretosteer.report.figures.style import LIGHT, style
from paretosteer.report.page.keys import MARKERS

pytestmark = pytest.mark.figures

HOSTILE = "<img src=x onerror=alert(1)>&\"'|$x_1${}\\input{secret}"


class Elements(HTMLParser):
    """Collects the tags and attributes of a page, and its text."""

    def __init__(self) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.attributes: list[tuple[str, str]] = []
        self.text = ""

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.attributes += [(name, value or "") for name, value in attrs]

    def handle_data(self, data: str) -> None:
        self.text += data


def read_page(path: Path) -> Elements:
    elements = Elements()
    elements.feed(path.read_text(encoding="utf-8"))
    return elements


def test_all_files_are_there(report: Report) -> None:
    names = {str(path.relative_to(report.folder)) for path in report.folder.rglob("[!.]*.*")}
    assert names == {
        "index.html",
        "leaderboard.csv",
        "leaderboard.md",
        "leaderboard.tex",
        "report.json",
        *(
            f"figures/{name}-1.{form}"
            for name in ("fronts", "responses", "drift")
            for form in ("svg", "png")
        ),
    }
    assert report.counts == {"ok": 11, "failed": 1, "missing": 2, "unreadable": 1, "unsupported": 1}
    assert report.failed == 1


def test_page_needs_nothing_else(report: Report) -> None:
    page = read_page(report.page)
    assert page.tags.count("script") == 3  # data, Plotly, our own
    links = [value for name, value in page.attributes if name in ("src", "srcset", "href")]
    assert links
    assert all(link.startswith(("data:", "#")) for link in links)
    for told in ("loss is NaN at step 17", "no labelled text", "interrupted", "cannot be read"):
        assert told in page.text
    for told in (
        "What the columns mean",
        "Behind the best",
        "they do not cover the variance between",
        "paretosteer run method=clp seed=0",
    ):
        assert told in page.text
    assert "Once there was a fox." in page.text


def test_hostile_text_is_only_text(tmp_path: Path) -> None:
    write_cell(
        tmp_path,
        "clp",
        concave(2.0),
        variant=HOSTILE,
        names=(HOSTILE, "</td></table>$"),
        text=HOSTILE,
        changes={"command": HOSTILE, "notes": [HOSTILE], "selection": {HOSTILE: HOSTILE}},
    )
    error = {"type": HOSTILE, "message": HOSTILE, "stage": HOSTILE}
    write_unscored(tmp_path, "clp", "failed", seed=1, error=error)
    report = write_report([tmp_path])
    page = read_page(report.page)
    # The words are there, as words: nothing of them became an element or an attribute.
    assert page.text.count(HOSTILE) > 10
    assert page.tags.count("script") == 3
    assert not any(name.startswith("on") or value == "x" for name, value in page.attributes)
    assert r"\input{" not in (report.folder / "leaderboard.tex").read_text()
    assert " <img" not in (report.folder / "leaderboard.md").read_text()


def test_no_template_turns_escaping_off() -> None:
    templates = sorted(files("paretosteer.report.page").joinpath("templates").iterdir())
    assert len(templates) > 5
    for template in templates:
        text = template.read_text(encoding="utf-8")
        assert not re.search(r"\|\s*safe\b|autoescape", text), template.name


def test_figures_are_the_same_each_time(sweep: Path) -> None:
    (result,) = [evaluate(table) for table in make_tables(find_cells(sweep)).tables]
    first, second = (render(result, DRAWINGS[0], "svg") for _ in range(2))
    assert first == second
    assert b"dc:date" not in first


def test_three_objectives_are_drawn_in_pairs(tmp_path: Path) -> None:
    write_cell(tmp_path, "clp", concave(2.0), grid=TRIANGLE)
    (result,) = [evaluate(table) for table in make_tables(find_cells(tmp_path)).tables]
    with_light = render(result, DRAWINGS[0], "svg")
    assert len(set(re.findall(rb'id="axes_\d+"', with_light))) == 3


@pytest.mark.parametrize(
    ("seeds", "grid", "shaded"), [(2, GRID, False), (3, GRID, True), (3, TRIANGLE, False)]
)
def test_attainment_of_two_objectives_is_shaded(
    tmp_path: Path, seeds: int, grid: list[list[float]], shaded: bool
) -> None:
    for seed in range(seeds):
        write_cell(tmp_path, "clp", concave(2.0), grid=grid, seed=seed)
    result = only(tmp_path)
    assert ("to three quarters of a method's seeds" in FRONTS.caption(result)) == shaded
    # Of all that is drawn only the band is as faint.
    assert (b"opacity: 0.16" in render(result, FRONTS, "svg")) == shaded


def test_page_is_the_same_each_time(tmp_path: Path) -> None:
    write_cell(tmp_path / "sweep", "clp", concave(2.0))
    pages = [write_report([tmp_path / "sweep"], out=tmp_path / out).page for out in "ab"]
    assert pages[0].read_bytes() == pages[1].read_bytes()


def test_styles_never_change() -> None:
    assert style("bone_soup") == style("bone_soup", 0)
    assert style("bone_soup").colour == "#D55E00"
    assert style("my_own") == style("my_own")
    rows = [style("clp", place) for place in range(4)]
    assert len({(row.colour, row.line) for row in rows}) == 4
    assert {row.marker for row in rows} == {"^"}


def test_every_method_has_a_look_of_its_own_that_the_page_can_draw() -> None:
    looks = {name: style(name) for name in registry.names("methods")}
    assert len({(look.colour, look.marker) for look in looks.values()}) == len(looks)
    plots = files("paretosteer.report").joinpath("web/plots.js").read_text(encoding="utf-8")
    symbols = plots.partition("const SYMBOLS = {")[2].partition("}")[0]
    known = {a or b for a, b in re.findall(r'(?:"(.)"|(\w)): "', symbols)}
    assert {look.marker for look in looks.values()} <= known & MARKERS.keys()


def test_methods_of_plugins_share_no_colour() -> None:
    names = [f"mine_{place}" for place in range(8)]
    colours = {style(name, among=names).colour for name in names}
    assert len(colours) == 8
    assert not colours & {style(name).colour for name in registry.names("methods")}


def test_another_report_replaces_the_first(tmp_path: Path) -> None:
    write_cell(tmp_path / "sweep", "clp", concave(2.0))
    old = tmp_path / "out" / "figures" / "fronts-7.svg"
    old.parent.mkdir(parents=True)
    old.touch()
    report = write_report([tmp_path / "sweep"], out=tmp_path / "out")
    assert report.page == tmp_path / "out" / "index.html"
    assert not old.exists()


def test_out_must_be_a_folder(tmp_path: Path) -> None:
    write_cell(tmp_path / "sweep", "clp", concave(2.0))
    (tmp_path / "out").touch()
    with pytest.raises(UsageError, match=r"--out: .* is a file"):
        write_report([tmp_path / "sweep"], out=tmp_path / "out")


def test_printed_leaderboard(report: Report, capsys: pytest.CaptureFixture[str]) -> None:
    print_leaderboard(report)
    printed = capsys.readouterr().out
    for told in ("rewarded_soup", "clp (prompt)", "unsupported", "morl*", str(report.page)):
        assert told in printed
    assert "…" not in printed
    assert re.search(r"failed: .*seed1-\w+: DivergenceError while in train", printed)


def test_import_is_light() -> None:
    heavy = "import sys, paretosteer.report; print({'pandas', 'matplotlib'} & set(sys.modules))"
    done = subprocess.run([sys.executable, "-c", heavy], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "set()"


@pytest.mark.figures
def test_axes_end_before_a_row_far_out_and_say_so(tmp_path: Path) -> None:
    for place in range(5):
        write_cell(tmp_path, "clp", concave(2 - place / 20), place=place)
    write_cell(tmp_path, "mi_epo", lambda mu: np.array([2.0, -9.0]) * mu + 0.5)
    result = only(tmp_path)
    first, second = drawn_ranges(result)
    assert not first.clipped and second.clipped and second.low > -4
    assert beyond(result, (first, second)).startswith(
        "Arrows mark points beyond the axes: mi_epo (variety down to −8"
    )
    setting = result.table.setting
    assert setting
    with look(LIGHT):
        axis = draw_fronts(result, setting, LIGHT).axes[0]
    arrows = [each for each in axis.texts if each.arrow_patch]  # type: ignore[attr-defined]
    hidden = (result.rows[-1].curves.band.mean[:, 1] < axis.get_ylim()[0]).sum()  # type: ignore[union-attr]
    assert len(arrows) == hidden > 0


@pytest.mark.figures
def test_axes_show_every_point_of_few_rows(tmp_path: Path) -> None:
    write_cell(tmp_path, "clp", concave(2.0))
    write_cell(tmp_path, "mi_epo", lambda mu: np.array([2.0, -9.0]) * mu + 0.5)
    result = only(tmp_path)
    ranges = drawn_ranges(result)
    assert not any(each.clipped for each in ranges) and beyond(result, ranges) == ""


@pytest.mark.figures
def test_axes_never_end_before_a_row_far_ahead(tmp_path: Path) -> None:
    for place in range(5):
        write_cell(tmp_path, "clp", concave(2 - place / 20), place=place)
    write_cell(tmp_path, "mi_epo", concave(20.0))
    assert not any(each.clipped for each in drawn_ranges(only(tmp_path)))


def plotted(page: Path) -> dict[str, Any]:
    """Data of the plots of a page's first table."""
    text = page.read_text(encoding="utf-8")
    _, _, rest = text.partition('<script type="application/json" id="tables">')
    (table,) = json.loads(rest[: rest.index("</script>")])
    return table


def test_a_mark_is_hollow_if_its_own_method_dominates_it(tmp_path: Path) -> None:
    grid = np.array(GRID)
    write_cell(tmp_path, "clp", lambda mu: 2 * mu - 5 * (mu == grid[1]).all(), noise=0, grid=GRID)
    (row,) = plotted(write_report([tmp_path]).page)["rows"]
    assert row["front"] == [place != 1 for place in range(len(GRID))]


def test_the_union_front_says_that_it_takes_every_seed(report: Report, tmp_path: Path) -> None:
    assert "of all methods in any seed" in plotted(report.page)["reading"]
    write_cell(tmp_path, "clp", concave(2.0))
    alone = write_report([tmp_path]).page
    assert "of all methods." in plotted(alone)["reading"]


def test_rows_lead_to_the_provenance_of_their_cells(report: Report) -> None:
    page = report.page.read_text(encoding="utf-8")
    for row in plotted(report.page)["rows"]:
        for turn, anchor in row["cells"]:
            name = row["label"].replace("(", "").replace(")", "")
            assert f'<details id="{anchor}"><summary>{name}, {turn}: ok' in page


def test_provenance_is_readable(report: Report) -> None:
    page = report.page.read_text(encoding="utf-8")
    _, _, facts = page.partition("<h3>Provenance</h3>")
    shown = dict(re.findall(r"<dt>([^<]+)</dt><dd>(.*?)</dd>", facts[: facts.index("<script")]))
    assert "Steps 0, " in shown["cost"] and "Training 60 s" in shown["cost"]
    assert "method.name start, " in shown["configuration"]
    assert not any(mark in text for text in shown.values() for mark in ("{", "None", "&#34;"))
