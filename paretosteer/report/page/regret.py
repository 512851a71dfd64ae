"""The page's table of oracle regret at single preferences."""

from itertools import combinations

import numpy as np

from paretosteer.metrics.input_checks import FloatArray
from paretosteer.report.analysis.comparable import vector_words
from paretosteer.report.analysis.evaluate import RowResult, TableResult
from paretosteer.report.analysis.oracle import Places
from paretosteer.report.page.html import Markup, element, plain_table, row

_MOST = 12  # columns that can be read side by side


def regret_table(result: TableResult) -> Markup:
    """Methods by preferences, folded away; nothing where the table has no regret."""
    setting, oracle = result.table.setting, result.oracle
    if not setting or not oracle or not result.regretted:
        return Markup()
    asked = oracle.preferences[oracle.places]  # (n, m)
    places = _readable(asked)[::-1]  # all weight on the first objective first, as sweeps write it
    some = f" {len(places)} of {len(asked)} preferences, all in report.json."
    head = ["Method", *(vector_words(asked[place]) for place in places)]
    return element(
        "details",
        element("summary", "Regret by preference"),
        element(
            "p",
            "Share of what could be learnt at a preference that the method leaves. Preferences "
            f"weigh {', '.join(setting.names)}.{some if len(places) < len(asked) else ''}",
            class_="soft",
        ),
        plain_table([_row(each, places) for each in result.scored], head),
    )


def _row(each: RowResult, places: Places) -> Markup:
    assert each.curves and each.curves.regret  # of a table with regret
    values = each.curves.regret.band.mean[places]
    return row(
        each.row.label + ("*" if each.row.exempt else ""),
        *(element("td", f"{value:z.4f}".replace("-", "−")) for value in values),
    )


def _readable(preferences: FloatArray) -> Places:
    """Places of preferences (n, m) to show: all, or the nearest to a few that say most."""
    if len(preferences) <= _MOST:
        return np.arange(len(preferences))
    apart = np.abs(preferences[:, None] - _landmarks(preferences.shape[1])).sum(axis=2)
    return np.unique(apart.argmin(axis=0))


def _landmarks(m: int) -> FloatArray:
    """Ten steps from one objective to the other; of more, vertices, middles of edges, centre."""
    if m == 2:
        first = np.linspace(0, 1, 11)
        return np.stack([first, 1 - first], axis=1)
    vertices = np.eye(m)
    middles = [(vertices[i] + vertices[j]) / 2 for i, j in combinations(range(m), 2)]
    edges = middles if m + len(middles) < _MOST else []
    return np.array([*vertices, *edges, np.full(m, 1 / m)])
