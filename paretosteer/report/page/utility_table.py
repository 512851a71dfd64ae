"""Table of the page: utility at single preferences, against the best row there."""

from typing import Any

import numpy as np

from paretosteer.report.analysis.bootstrap import Band
from paretosteer.report.analysis.comparable import vector_words
from paretosteer.report.analysis.evaluate_table import DAMAGE_MARK, TableResult
from paretosteer.report.analysis.paired_utility import PairedUtility
from paretosteer.report.analysis.replicates import damaged_places
from paretosteer.report.page.readable_preferences import readable


def utility_table(result: TableResult, pairs: PairedUtility) -> dict[str, Any] | None:
    """Rows by preferences: the best row's utility, and the others' paired difference from it.

    None if fewer than two rows compete. Rows that are exempt from the budget are never the best.
    """
    scored = result.scored
    competing = [place for place, each in enumerate(scored) if not each.row.exempt]
    if len(competing) < 2:
        return None
    shown = readable(pairs.preferences)[::-1]  # all weight on the first objective first
    utility = np.array([each.curves.utility.mean for each in scored if each.curves])  # (rows, k)
    best = utility[competing].argmax(axis=0)  # (k,)

    damaged = [damaged_places(each.row.replicates) for each in scored]

    def cell(row: int, place: int) -> dict[str, Any]:
        ahead = competing[best[place]]
        if row == ahead:
            text, tied = _written(utility[row, place], "z.2f"), False
        else:
            text, tied = _difference(pairs.difference(row, ahead), place)
        mark = f"{DAMAGE_MARK} " if damaged[row] and damaged[row][place] else ""
        return {"best": row == ahead, "text": mark + text, "tied": tied}

    return {
        "columns": [vector_words(pairs.preferences[place]) for place in shown],
        "rows": [
            (each.row, [cell(row, place) for place in shown]) for row, each in enumerate(scored)
        ],
        "count": len(pairs.preferences),
    }


def _difference(band: Band, place: int) -> tuple[str, bool]:
    mean, low, high = band.mean[place], band.low[place], band.high[place]
    if np.isnan(mean):
        return "–", True
    interval = ", ".join(_written(end, "z.2f") for end in (low, high))
    return f"{_written(mean, '+z.2f')} [{interval}]", bool(low <= 0 <= high)


def _written(value: float, form: str) -> str:
    return format(value, form).replace("-", "−")
