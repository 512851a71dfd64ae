"""Small matrices on the page, each cell tinted by its value; they need no script."""

from collections.abc import Sequence

import numpy as np

from paretosteer import metrics
from paretosteer.metrics.input_checks import FloatArray
from paretosteer.report.analysis.dial_cubes import cube
from paretosteer.report.analysis.evaluate import RowResult, TableResult
from paretosteer.report.analysis.measure import steerable
from paretosteer.report.page.html import Markup, element, join, plain_table, row

# Okabe and Ito's blue and vermillion, apart for colour-blind readers; weak enough to read upon.
_RISES, _FALLS = "0,114,178", "213,94,0"
_STRONGEST = 0.55


def dominance_matrix(result: TableResult) -> Markup:
    """Share of preferences at which a row's point dominates a column's; of two rows or more."""
    scored = result.scored
    if len(scored) < 2:
        return Markup()
    points = [each.curves.band.mean for each in scored if each.curves]
    shares = np.array(
        [[metrics.dominance_at_equal_preference(a, b) for b in points] for a in points]
    )
    np.fill_diagonal(shares, np.nan)
    labels = [each.row.label for each in scored]
    return join(
        element("h3", "Point against point"),
        element(
            "p",
            "Share of preferences at which the point of the row's method is better in every "
            "objective than the column's point for the same preference.",
            class_="soft",
        ),
        _matrix("Dominates", labels, labels, shares, "{:.0%}", 1.0),
    )


def entanglement_maps(result: TableResult) -> Markup:
    """For each row how far every objective moves per unit of every dial."""
    setting = result.table.setting
    if not setting or not steerable(np.array(setting.preferences)):
        return Markup()
    preferences = np.array(setting.preferences)
    maps = []
    for each in result.scored:
        assert each.curves  # scored
        own = cube(each, setting)
        maps.append((each, "weight on", metrics.entanglement(preferences, each.curves.band.mean)))
        if own:
            maps.append((each, "own dial α of", metrics.entanglement(own.dials, own.points)))
    largest = max(float(np.abs(slopes).max()) for _, _, slopes in maps)
    return join(
        element("h3", "What moves along"),
        element(
            "p",
            "Least-squares slope of every objective (columns) on every dial (rows), in standard "
            "units from none to all. Off the diagonal is what moves although it was not asked "
            "for; weights that sum to 1 make some of it inevitable, dials of a method's own do "
            "not. Blue rises, orange falls.",
            class_="soft",
        ),
        element(
            "div",
            *(_map(each, dial, setting.names, slopes, largest) for each, dial, slopes in maps),
            class_="maps",
        ),
    )


def _map(
    each: RowResult, dial: str, names: Sequence[str], slopes: FloatArray, largest: float
) -> Markup:
    heads = [f"{dial} {name}" for name in names]
    return _matrix(each.row.label, heads, names, slopes, "{:+z.2f}", largest)


def _matrix(
    title: str,
    rows: Sequence[str],
    columns: Sequence[str],
    values: FloatArray,
    form: str,
    largest: float,
) -> Markup:
    """A table of values (rows, columns), empty where they are not a number."""
    lines = [
        row(name, *(_tinted(value, form, largest) for value in line))
        for name, line in zip(rows, values, strict=True)
    ]
    return plain_table(lines, [title, *columns], "plain heat")


def _tinted(value: float, form: str, largest: float) -> Markup:
    if np.isnan(value):
        return element("td", "–", class_="soft")
    strength = _STRONGEST * abs(value) / largest if largest else 0.0
    hue = _RISES if value >= 0 else _FALLS
    text = form.format(value).replace("-", "−")
    return element("td", text, style=f"background:rgba({hue},{strength:.2f})")
