"""`index.html`: one self-contained page that opens from disk, light or dark, wide or narrow.

The templates write tables, notes and figures as plain HTML; a script makes tables sortable and
draws the interactive parts. Python prepares the data of both.
"""

import re
from base64 import b64encode
from collections.abc import Mapping, Sequence
from functools import cache
from typing import TYPE_CHECKING, Any

from paretosteer.metrics.row_metric import Column, Section
from paretosteer.report.analysis.drawn_rows import focus
from paretosteer.report.analysis.evaluate_table import TableResult
from paretosteer.report.analysis.paired_utility import PairedUtility
from paretosteer.report.analysis.tables import Tables
from paretosteer.report.columns import HYPERVOLUME, other_columns, section
from paretosteer.report.figures.all_figures import drawings, render
from paretosteer.report.figures.style import DARK
from paretosteer.report.outputs.notes import (
    cell_notes,
    equal_drift_leader,
    figure_notes,
    not_compared,
    warnings,
)
from paretosteer.report.outputs.text_tables import (
    apart,
    decoding_columns,
    headline,
)
from paretosteer.report.page.assets import assets
from paretosteer.report.page.carried_texts import TEXT_BYTES
from paretosteer.report.page.cell_list import cell_anchors, cell_list
from paretosteer.report.page.heat import coverage_matrix, dominance_matrix, entanglement_maps
from paretosteer.report.page.judge_table import judge_table
from paretosteer.report.page.plot_data import plot_data
from paretosteer.report.page.regret_table import regret_table
from paretosteer.report.page.sample_texts import (
    SampleTexts,
    examples,
    read_texts,
)
from paretosteer.report.page.sortable_table import sortable_table
from paretosteer.report.page.utility_table import utility_table
from paretosteer.runtime.terminal import enumerated, plural

if TYPE_CHECKING:
    from jinja2 import Template
    from markupsafe import Markup

_MOST_NAMED = 6  # methods in the sentence at the top

# Bytes of a figure with so many marks that a second copy of it would make the page slow to load:
# dark pages then show it on a light ground.
_HEAVY = 500_000


def page(
    tables: Tables,
    results: Sequence[TableResult],
    light: Mapping[tuple[int, str], bytes],
    text_bytes: int = TEXT_BYTES,
) -> str:
    """HTML of the page.

    Parameters
    ----------
    tables, results
        The cells and the tables made of them.
    light
        The SVG figures on a light ground, by table number and name of the drawing.
    text_bytes
        Most that the sample texts may take.
    """
    special = apart(results)
    drawn = [focus(each) for each in results]
    texts = [read_texts(each) for each in drawn]
    pairs = [PairedUtility(each) if each.scored else None for each in drawn]
    return _template("page.html").render(
        tables=[
            _table(result, special.get(result.table.number))
            | (_measures(result, focused, own, paired, light) if paired else {"measures": None})
            for result, focused, own, paired in zip(results, drawn, texts, pairs, strict=True)
        ],
        glossary=_glossary(results),
        title=_title(results),
        cells=cell_list(tables),
        plot_data=plot_data(drawn, texts, pairs, cell_anchors(tables), text_bytes),
        **assets(plots=any(each.scored for each in results)),
    )


@cache
def _template(name: str) -> "Template":
    from jinja2 import Environment, PackageLoader, StrictUndefined

    templates = Environment(
        loader=PackageLoader("paretosteer.report.page"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    # `value | number("z.2f")`: Python's format, with a true minus sign.
    templates.filters["commands"] = _commands
    templates.filters["breakable"] = _breakable
    templates.filters["number"] = lambda value, form: format(value, form).replace("-", "−")
    return templates.get_template(name)


def _commands(text: str) -> "Markup":
    """Text as HTML, with what is in backticks as code."""
    from markupsafe import Markup, escape

    return Markup(re.sub("`([^`]+)`", r"<code>\1</code>", str(escape(text))))


def _breakable(label: str) -> "Markup":
    """Label as HTML that may break after `=` and commas, rather than within a word."""
    from markupsafe import Markup, escape

    return Markup(re.sub(r"[=,](?=\S)", r"\g<0><wbr>", str(escape(label))))  # entities have neither


def _title(results: Sequence[TableResult]) -> str:
    """Objectives, scored rows, benchmark and model of a single table; benchmarks of several."""
    scored = [each for each in results if each.scored]
    if len(scored) != 1:
        named = dict.fromkeys(each.table.benchmark for each in results)
        return f"Steering compared on {', '.join(named)}"
    (only,) = scored
    assert only.table.setting  # a scored table has one
    count = plural(len(only.scored), "configuration")
    names = enumerated(only.table.setting.names)
    return f"Steering {names}: {count} on {only.table.place}"


def _glossary(results: Sequence[TableResult]) -> list[Column]:
    """Columns that any table shows, except those of single objectives."""
    sections: tuple[Section, ...] = ("quality", "steering", "front", "further", "cost")
    columns = [column for name in sections for column in section(name)]
    return [each for each in columns if any(result.present([each]) for result in results)]


def _table(result: TableResult, special: str | None) -> dict[str, Any]:
    return {
        "number": result.table.number,
        "benchmark": result.table.benchmark,
        "place": result.table.place,
        "headline": headline(result),
        "notes": [*([special] if special else []), *figure_notes(result)],
        "not_compared": not_compared(result),
        "cell_notes": cell_notes(result),
        "warnings": warnings(result),
        "noun": result.noun,
        "winner": _winner(result),
        "leaderboard": sortable_table(
            result, [*section("quality"), *decoding_columns(result)], main=True
        ),
    }


def _winner(result: TableResult) -> dict[str, Any] | None:
    """Best rows under the budget, and the rows that do not differ significantly from them."""
    ranked = result.competing
    if not ranked:
        return None
    first = [each for each in ranked if each.figures["rank"] == 1]
    close = [each for each in ranked if each.row.label in result.tied and each not in first]
    return {
        "labels": _named([each.row.label for each in first]),
        "tied": len(first) > 1,
        "hypervolume": HYPERVOLUME.text(first[0].figures),
        "competitors": len(ranked),
        "cost_unknown": any(each.row.cost_unknown for each in ranked),
        "ties": _named([f"{each.row.label} ({HYPERVOLUME.text(each.figures)})" for each in close]),
        "equal_drift": " ".join(equal_drift_leader(result)),
    }


def _named(rows: Sequence[str]) -> str:
    """Rows in words; of many, the first ones and the number of the others. "" if there are none."""
    more = [f"{len(rows) - _MOST_NAMED} more"] if len(rows) > _MOST_NAMED else []
    return enumerated([*rows[:_MOST_NAMED], *more]) if rows else ""


def _measures(
    result: TableResult,
    drawn: TableResult,
    texts: SampleTexts,
    pairs: PairedUtility,
    light: Mapping[tuple[int, str], bytes],
) -> dict[str, Any]:
    """Data of a scored table's sections below its leaderboard, with the rows to draw."""
    setting = result.table.setting
    assert setting  # a scored table has one
    columns = {
        "steering": section("steering", setting.names),
        "front": section("front"),
        "costs": section("cost"),
        "more": section("further"),
    }
    known = [*section("quality"), *(column for each in columns.values() for column in each)]
    columns["others"] = other_columns((each.figures for each in result.scored), known)
    figures = _figures(drawn, light)
    return {
        "objectives": setting.names,
        "measures": {name: sortable_table(result, each) for name, each in columns.items()},
        "figures": figures,
        "judged": judge_table(result) if "judged" in figures else None,
        "regret": regret_table(result) if "regret" in figures else None,
        "utility": utility_table(drawn, pairs),
        "entanglement": entanglement_maps(drawn),
        "dominance": dominance_matrix(drawn),
        "coverage": coverage_matrix(drawn),
        "examples": examples(drawn, texts),
    }


def _figures(
    result: TableResult, light: Mapping[tuple[int, str], bytes]
) -> dict[str, dict[str, str]]:
    figures = {}
    for drawing in drawings(result):
        image = light[result.table.number, drawing.name]
        dark = render(result, drawing, "svg", DARK) if len(image) <= _HEAVY else b""
        figures[drawing.name] = {
            "caption": drawing.caption(result),
            "light": _inline(image),
            "dark": _inline(dark) if dark else "",
        }
    return figures


def _inline(svg: bytes) -> str:
    return f"data:image/svg+xml;base64,{b64encode(svg).decode()}"
