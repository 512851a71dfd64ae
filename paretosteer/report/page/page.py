"""`index.html`: one self-contained page that opens from disk, light or dark, wide or narrow.

Tables, notes and figures are plain HTML. A script makes tables sortable and fills each `_part`.
"""

from base64 import b64encode
from collections.abc import Mapping, Sequence

from paretosteer.report.analysis.comparable import vector_words
from paretosteer.report.analysis.evaluate import RowResult, TableResult
from paretosteer.report.analysis.tables import Tables
from paretosteer.report.figures.all_figures import Drawing, drawings, render
from paretosteer.report.figures.drawn_rows import focus
from paretosteer.report.figures.proxy_and_judge import judged_table
from paretosteer.report.figures.style import DARK
from paretosteer.report.outputs.columns import (
    COSTS,
    DETAIL,
    HYPERVOLUME,
    Column,
    other_columns,
    present,
    quality,
    steering_columns,
)
from paretosteer.report.outputs.text_tables import apart, headline, told_about
from paretosteer.report.page.assets import whole_page
from paretosteer.report.page.cell_list import cells_section
from paretosteer.report.page.heat import dominance_matrix, entanglement_maps
from paretosteer.report.page.html import Markup, element, join, plain_table, row
from paretosteer.report.page.plot_data import page_data
from paretosteer.report.page.regret import regret_table
from paretosteer.report.page.sample_texts import Prompted, Written, examples, shown, written
from paretosteer.report.page.sortable_table import table

# Bytes of a figure with so many marks that a second copy of it would make the page slow to load:
# dark pages then show it on a light ground.
_HEAVY = 500_000

_NAMED = 6  # rows in a sentence


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
    focused = [focus(each) for each in results]  # what is drawn
    texts = [written(each) for each in focused]
    body = join(
        element("h1", "Which method steers best?"),
        _summary(found, results),
        element(
            "p",
            "This browser cannot unpack the interactive plots; still figures stand in for them.",
            class_="failing",
        ),
        *(
            _section(each, drawn, told_about(each, special), light, own)
            for each, drawn, own in zip(results, focused, texts, strict=True)
        ),
        _glossary(results),
        cells_section(found),
    )
    scored = any(each.scored for each in results)
    return whole_page("paretosteer report", body, page_data(focused, texts), scored)


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
        f"among {len(ranked)} configurations under the budget",
        _doubts(result, best),
        class_="lead",
    )


def _doubts(result: TableResult, best: RowResult) -> str:
    """How sure that is, to stand behind the sentence that names the best."""
    close = [each for each in result.scored if each.row.label in result.tied]
    named = ", ".join(f"{each.row.label} ({HYPERVOLUME.text(each)})" for each in close[:_NAMED])
    others = f" and {len(close) - _NAMED} more" if len(close) > _NAMED else ""
    ties = f"; it is not told apart from {named}{others}"
    count = len(best.row.replicates)
    had = "(there was 1)" if count == 1 else f"(there were {count})"
    few = f" Intervals leave out how another {result.unit} would have come out {had}."
    return (ties if close else "") + "." + ("" if result.outer else few)


def _section(
    result: TableResult,
    drawn: TableResult,
    told: Sequence[str],
    light: Mapping[tuple[int, str], bytes],
    texts: Written,
) -> Markup:
    number = result.table.number
    parts = [
        element("h2", f"Table {number}. {result.table.benchmark}", id=f"table-{number}"),
        element("p", headline(result), class_="soft"),
        _part("dial"),
        element("h3", "Leaderboard"),
        table(result, quality(), "Quality and drift", main=True),
        element("ul", *(element("li", note) for note in told), class_="notes"),
    ]
    if result.scored:
        stills = {
            each.name: _figure(drawn, each, light[number, each.name]) for each in drawings(drawn)
        }
        parts += _measured(result, drawn, stills)
        parts.append(element("div", _examples(drawn, texts), class_="unscripted"))
    return element("section", *parts, data_table=str(number))


def _measured(
    result: TableResult, drawn: TableResult, stills: Mapping[str, Markup]
) -> list[Markup]:
    """Everything about a scored table below its leaderboard, with the rows that are drawn."""
    regret = [stills["regret"], regret_table(result)] if "regret" in stills else []
    names = result.table.setting.names if result.table.setting else []
    steering = steering_columns(names)
    front = [each for each in DETAIL if each.figure in ("contribution", "front_size")]
    more = [each for each in DETAIL if each not in (*steering, *front)]
    return [
        *_second_opinion(result, stills),
        _part("ternary"),
        _still("Fronts as a still figure", stills["fronts"]),
        *regret,
        element("h3", "Does it follow the dial?"),
        element(
            "p",
            "Every objective against its own weight, in standard units of the start model.",
            class_="soft",
        ),
        _part("responses"),
        _still("Responses as a still figure", stills["responses"]),
        table(result, steering, "Steering, objective by objective"),
        entanglement_maps(drawn),
        _part("spider"),
        dominance_matrix(drawn),
        table(result, front, "What each adds to the union front, and its own front"),
        element("h3", "What it cost"),
        _part("costs"),
        table(result, COSTS, f"Mean of a {result.noun}"),
        *_beside_cost(stills),
        element("h3", "More measures"),
        table(result, more, f"Mean over {result.noun}s"),
        _rest(result, (*quality(), *DETAIL, *COSTS, *steering)),
    ]


def _second_opinion(result: TableResult, stills: Mapping[str, Markup]) -> list[Markup]:
    """Proxy and judge, where the table was judged."""
    if "judged" not in stills:
        return []
    return [element("h3", "Would another judge agree?"), judged_table(result), stills["judged"]]


def _beside_cost(stills: Mapping[str, Markup]) -> list[Markup]:
    """Quality against budget and at equal drift, where the table has them."""
    told = {
        "budgets": ("What more training buys", "Budgets as a still figure"),
        "drift": ("What it is worth at equal drift", "Equal drift as a still figure"),
    }
    return [
        part
        for name, (title, summary) in told.items()
        if name in stills
        for part in (element("h3", title), _part(name), _still(summary, stills[name]))
    ]


def _part(name: str) -> Markup:
    """Where a script puts something; nothing without it."""
    return element("div", data_part=name, hidden="")


def _still(summary: str, figure: Markup) -> Markup:
    """A figure that needs no script, folded away by the script that draws it better."""
    return element("details", element("summary", summary), figure, class_="still", open="")


def _rest(result: TableResult, shown: Sequence[Column]) -> Markup:
    further = other_columns(result.scored, shown)
    if not further:
        return Markup()
    return element(
        "details",
        element("summary", "All other figures, under their names in leaderboard.csv"),
        table(result, further, f"Mean over {result.noun}s"),
    )


def _figure(result: TableResult, drawing: Drawing, light: bytes) -> Markup:
    caption = drawing.caption(result)
    dark = [_dark(result, drawing)] if len(light) <= _HEAVY else []
    return element(
        "figure",
        element(
            "picture",
            *dark,
            element("img", src=_inline(light), alt=caption),
        ),
        element("figcaption", caption),
    )


def _dark(result: TableResult, drawing: Drawing) -> Markup:
    image = _inline(render(result, drawing, "svg", DARK))
    return element("source", srcset=image, media="(prefers-color-scheme: dark)")


def _inline(svg: bytes) -> str:
    return f"data:image/svg+xml;base64,{b64encode(svg).decode()}"


def _examples(result: TableResult, texts: Written) -> Markup:
    found = examples(result, texts)
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
    rows = [
        row(writing.label, *(element("td", text, class_="words") for text in writing.texts))
        for writing in prompted.writings
    ]
    return element(
        "details",
        element("summary", "Prompt: ", element("em", prompted.prompt)),
        plain_table(rows, ["Method", *names]),
    )


def _glossary(results: Sequence[TableResult]) -> Markup:
    scored = [each for result in results for each in result.scored]
    pairs = [
        part
        for column in present((*quality(), *DETAIL, *COSTS), scored)
        for part in (element("dt", column.heading), element("dd", column.meaning))
    ]
    return element(
        "section",
        element("h2", "What the columns mean"),
        element(
            "p",
            "Scores are in standard deviations of the start model's own samples, so 0 is the "
            "start model and higher is better; the start model's own points lie near 0 and not on "
            "it, for they are of other prompts than the units. ↑ higher is better, ↓ lower; "
            "without an arrow, not to be ranked on alone. The best values under the budget are "
            "bold.",
        ),
        element("dl", *pairs),
    )
