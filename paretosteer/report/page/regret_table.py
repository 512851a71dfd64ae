"""Table of the page: oracle regret at single preferences."""

from typing import Any

from paretosteer.report.analysis.comparable import vector_words
from paretosteer.report.analysis.evaluate_table import TableResult
from paretosteer.report.page.readable_preferences import readable


def regret_table(result: TableResult) -> dict[str, Any]:
    """Methods by preferences."""
    oracle = result.oracle
    assert oracle  # of a table with regret
    asked = oracle.preferences[oracle.places]  # (n, m)
    places = readable(asked)[::-1]  # all weight on the first objective first, as sweeps write it
    rows = []
    for each in result.scored:
        assert each.curves and each.curves.regret
        rows.append((each.row, each.curves.regret.band.mean[places]))
    columns = [vector_words(asked[place]) for place in places]
    return {"columns": columns, "rows": rows, "count": len(asked)}
