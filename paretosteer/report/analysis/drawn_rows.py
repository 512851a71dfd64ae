"""Rows of a long table that are drawn: as many as can be distinguished."""

from collections import Counter
from collections.abc import Iterator
from dataclasses import replace

from paretosteer.report.analysis.evaluate_table import TableResult

MOST = 20


def focus(result: TableResult) -> TableResult:
    """Table of the best row of every method, then the second of each, up to `MOST` rows."""
    scored = result.scored
    if len(scored) <= MOST:
        return result
    seen: Counter[str] = Counter()
    place: dict[str, int] = {}  # of a row within its method
    for each in scored:
        place[each.row.label] = seen[each.row.method]
        seen[each.row.method] += 1
    shown = set(sorted(place, key=place.__getitem__)[:MOST])
    return replace(result, rows=tuple(each for each in scored if each.row.label in shown))


def left_out(result: TableResult) -> Iterator[str]:
    """A sentence about rows that are not drawn; empty if there are none."""
    count = len(result.scored)
    if count > MOST:
        yield (
            f"Figures, plots and texts show {MOST} of the {count} rows: the best of every method "
            "by hypervolume, then the second of every one, and so on. All rows are in the tables."
        )
