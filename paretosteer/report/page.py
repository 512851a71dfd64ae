"""`index.html`: one self-contained page that opens from disk, light or dark, wide or narrow."""

from base64 import b64encode
from collections.abc import Mapping, Sequence
from importlib.resources import files
from string import Template

from paretosteer.report.columns import COSTS, DETAIL, HYPERVOLUME, QUALITY, Column, present
from paretosteer.report.evaluate import RowResult, TableResult
from paretosteer.report.figures import Drawing, drawings, render
from paretosteer.report.html import Markup, element, join
from paretosteer.report.page_cells import cells_section
from paretosteer.report.page_regret import regret_table
from paretosteer.report.samples import Prompted, examples, shown
from paretosteer.report.setting import numbered, vector_words
from paretosteer.report.style import DARK, Style, styles
from paretosteer.report.tables import Tables
from paretosteer.report.text_tables import apart, headline, told_about


def page(
    found: Tables, results: Sequence[TableResult], light: Mapping[tuple[int, str], bytes]
) -> str:
    """The whole page.

    Parameters
    ----------
    found, results
        The cells and the tables made of them.
    light
        The SVG figures on a light ground, by table number and name of the drawing.
    """
    special = apart(results)
    body = join(
        element("h1", "Which method steers best?"),
        _summary(found, results),
        *(_section(each, told_about(each, special), light) for each in results),
        _glossary(results),
        cells_section(found),
    )
    template = files("paretosteer.report").joinpath("page.html").read_text(encoding="utf-8")
    return Template(template).substitute(title="paretosteer report", body=body)


def _summary(found: Tables, results: Sequence[TableResult]) -> Markup:
    counted = {
        status: sum(cell.status == status for cell in found.cells)
        for status in dict.fromkeys(cell.status for cell in found.cells)
    }
    listed = ", ".join(f"{count} {status}" for status, count in counted.items())
    cells = element("a", f"{len(found.cells)} cells", href="#cells")
    return join(
        *(_winner(each) for each in results),
        element("p", cells, f": {listed}.", class_="soft"),
    )


def _winner(result: TableResult) -> Markup:
    """The table's best method in a sentence, and where to read on."""
    link = element("a", f"Table {result.table.number}", href=f"#table-{result.table.number}")
    ranked = [each for each in result.scored if not each.row.exempt]
    if not ranked:
        return element("p", link, f" ({result.table.benchmark}): nothing was scored.")
    best = ranked[0]
    return element(
        "p",
        link,
        f" ({result.table.benchmark}, {result.table.model}): ",
        element("strong", best.row.label),
        f" has the largest hypervolume, {HYPERVOLUME.text(best)}, "
        f"among {len(ranked)} configurations under the budget.",
        class_="lead",
    )


def _section(
    result: TableResult, told: Sequence[str], light: Mapping[tuple[int, str], bytes]
) -> Markup:
    number = result.table.number
    parts = [
        element("h2", f"Table {number}. {result.table.benchmark}", id=f"table-{number}"),
        element("p", headline(result), class_="soft"),
        _table(result, QUALITY, "Quality and drift", main=True),
        element("ul", *(element("li", note) for note in told), class_="notes"),
    ]
    if result.scored:
        parts += [_figure(result, each, light[number, each.name]) for each in drawings(result)]
        parts += [
            regret_table(result),
            element("h3", "What it cost"),
            _table(result, COSTS, f"Mean of a {result.noun}"),
            element("h3", "More measures"),
            _table(result, DETAIL, f"Mean over {result.noun}s"),
            _examples(result),
        ]
    return element("section", *parts)


def _table(
    result: TableResult, known: Sequence[Column], caption: str, main: bool = False
) -> Markup:
    """Rows by columns; the `main` table draws the hypervolume's interval and tells the status."""
    columns = present(known, result.scored)
    best = {column.figure: column.best(result.scored) for column in columns}
    looks = styles([each.row.method for each in result.rows])
    widest = max((each.figures["hypervolume_high"] for each in result.scored), default=0.0)

    def cell(each: RowResult, look: Style, column: Column) -> Markup:
        bar = [_bar(each, look, widest)] if main and column is HYPERVOLUME and widest else []
        kind = "best" if each.row.label in best[column.figure] else ""
        return element("td", column.text(each), *bar, class_=kind)

    rows = [
        element(
            "tr",
            element(
                "th",
                element("span", class_="swatch", style=f"background:{look.colour}"),
                each.row.label + ("*" if each.row.exempt else ""),
                scope="row",
            ),
            *(cell(each, look, column) for column in columns),
            *(_fate(each) if main else ()),
        )
        for each, look in zip(result.rows if main else result.scored, looks, strict=False)
    ]
    headings = ["Method", *(column.heading for column in columns)]
    headings += [f"{result.noun}s".capitalize(), "Status"] if main else []
    return element(
        "div",
        element(
            "table",
            element("caption", caption),
            element(
                "thead",
                element("tr", *(element("th", _unbroken(it), scope="col") for it in headings)),
            ),
            element("tbody", *rows),
        ),
        class_="scroll",
    )


def _fate(each: RowResult) -> tuple[Markup, Markup]:
    """How many of the row's cells were scored, in which folds, and its status."""
    counted = f"{len(each.row.replicates)} of {len(each.row.cells)}"
    folds = sorted({it.fold for it in each.row.replicates if it.fold is not None})
    seeds = sorted({it.seed for it in each.row.replicates})
    which = f": {numbered('fold', folds)}, {numbered('seed', seeds)}" if folds else ""
    return (
        element("td", counted + which),
        element("td", each.row.status, class_="ok" if each.row.status == "ok" else "not-ok"),
    )


def _unbroken(heading: str) -> str:
    """A heading whose arrow stays with its last word."""
    return heading.replace(" ↑", "\u00a0↑").replace(" ↓", "\u00a0↓")


def _bar(result: RowResult, look: Style, widest: float) -> Markup:
    if not result.curves:
        return Markup()
    value, low, high = (
        100 * result.figures[name] / widest
        for name in ("hypervolume", "hypervolume_low", "hypervolume_high")
    )
    spread = f"left:{low:.1f}%;width:{high - low:.1f}%;background:{look.colour}"
    return element(
        "span",
        element("i", style=spread),
        element("b", style=f"left:{value:.1f}%"),
        class_="bar",
    )


def _figure(result: TableResult, drawing: Drawing, light: bytes) -> Markup:
    dark = render(result, drawing, "svg", DARK)
    caption = drawing.caption(result)
    return element(
        "figure",
        element(
            "picture",
            element("source", srcset=_inline(dark), media="(prefers-color-scheme: dark)"),
            element("img", src=_inline(light), alt=caption),
        ),
        element("figcaption", caption),
    )


def _inline(svg: bytes) -> str:
    return f"data:image/svg+xml;base64,{b64encode(svg).decode()}"


def _examples(result: TableResult) -> Markup:
    found = examples(result)
    setting = result.table.setting
    if not found or not setting:
        return Markup()
    names = [f"at {vector_words(setting.preferences[place])}" for place in shown(setting)]
    return join(
        element("h3", "What they write"),
        element(
            "p",
            f"Preferences weigh {', '.join(setting.names)}; not chosen, the first "
            "samples of the first prompts.",
            class_="soft",
        ),
        *(_example(each, names) for each in found),
    )


def _example(prompted: Prompted, names: Sequence[str]) -> Markup:
    titles = [element("th", name, scope="col", class_="words") for name in ["Method", *names]]
    head = element("tr", *titles)
    rows = [
        element(
            "tr",
            element("th", writing.label, scope="row"),
            *(element("td", text, class_="words") for text in writing.texts),
        )
        for writing in prompted.writings
    ]
    return element(
        "details",
        element("summary", "Prompt: ", element("em", prompted.prompt)),
        element(
            "div",
            element("table", element("thead", head), element("tbody", *rows), class_="plain"),
            class_="scroll",
        ),
    )


def _glossary(results: Sequence[TableResult]) -> Markup:
    scored = [each for result in results for each in result.scored]
    pairs = [
        part
        for column in present((*QUALITY, *DETAIL, *COSTS), scored)
        for part in (element("dt", column.heading), element("dd", column.meaning))
    ]
    return element(
        "section",
        element("h2", "What the columns mean"),
        element(
            "p",
            "Scores are in standard deviations of the start model's own samples, so 0 is the "
            "start model and higher is better. ↑ higher is better, ↓ lower; without an arrow, "
            "not to be ranked on alone. Best values are bold.",
        ),
        element("dl", *pairs),
    )
