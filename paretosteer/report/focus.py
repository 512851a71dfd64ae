"""Which rows of a long table are drawn: as many as can be told apart."""

from collections.abc import Iterator
from dataclasses import replace

from paretosteer.report.evaluate import TableResult

MOST = 24


def focus(result: TableResult) -> TableResult:
    """The table with the best row of every method, then the best of the others, up to `MOST`."""
    scored = result.scored
    if len(scored) <= MOST:
        return result
    best = {each.row.method: each.row.label for each in reversed(scored)}
    of_methods = set(best.values())
    ordered = sorted(scored, key=lambda each: each.row.label not in of_methods)  # stable
    kept = {each.row.label for each in ordered[:MOST]}
    return replace(result, rows=tuple(each for each in scored if each.row.label in kept))


def left_out(result: TableResult) -> Iterator[str]:
    """A sentence about the rows that are not drawn, where there are any."""
    count = len(result.scored)
    if count > MOST:
        yield (
            f"Figures, plots and texts show {MOST} of the {count} rows: the best of every method, "
            "then the best of the others, by hypervolume. All rows are in the tables."
        )
