"""The page's tables of rows by columns, which a script makes sortable."""

from collections.abc import Sequence
from typing import Any

from paretosteer.report.analysis.comparable import numbered
from paretosteer.report.analysis.evaluate import RowResult, TableResult
from paretosteer.report.figures.style import Style, styles
from paretosteer.report.outputs.columns import HYPERVOLUME, Column, present
from paretosteer.report.page.html import Markup, element


def table(result: TableResult, known: Sequence[Column], caption: str, main: bool = False) -> Markup:
    """Rows by columns; the `main` table draws the hypervolume's interval and tells the status."""
    columns = present(known, result.scored)
    best = {column.figure: column.best(result.scored) for column in columns}
    looks = styles([each.row.method for each in result.rows])
    widest = max((each.figures["hypervolume_high"] for each in result.scored), default=0.0)

    def cell(each: RowResult, look: Style, column: Column) -> Markup:
        bar = [_bar(each, look, widest)] if main and column is HYPERVOLUME and widest else []
        kind = "best" if each.row.label in best[column.figure] else ""
        return element("td", column.text(each), *bar, class_=kind, **_sorted_by(each, column))

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
    headings = [_heading("Method"), *(_of_column(column, main) for column in columns)]
    headings += [_heading(f"{result.noun}s".capitalize()), _heading("Status")] if main else []
    return element(
        "div",
        element(
            "table",
            element("caption", caption),
            element("thead", element("tr", *headings)),
            element("tbody", *rows),
            class_="sortable",
        ),
        class_="scroll",
    )


def _heading(text: str, **attributes: str) -> Markup:
    return element("th", text, scope="col", **attributes)


def _of_column(column: Column, main: bool) -> Markup:
    ranked = {"aria_sort": "descending"} if main and column is HYPERVOLUME else {}
    return _heading(_unbroken(column.heading), data_better=str(column.better), **ranked)


def _sorted_by(each: RowResult, column: Column) -> dict[str, str]:
    """The number that a cell's text stands for, where it is one."""
    value: Any = each.figures.get(column.figure)
    return {"data_value": f"{value:.9g}"} if isinstance(value, int | float) else {}


def _fate(each: RowResult) -> tuple[Markup, Markup]:
    """How many of the row's cells were scored, in which folds, and its status."""
    counted = f"{len(each.row.replicates)} of {len(each.row.cells)}"
    folds = sorted({it.fold for it in each.row.replicates if it.fold is not None})
    seeds = sorted({it.seed for it in each.row.replicates})
    which = f": {numbered('fold', folds)}, {numbered('seed', seeds)}" if folds else ""
    return (
        element("td", counted + which, data_value=str(len(each.row.replicates))),
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
