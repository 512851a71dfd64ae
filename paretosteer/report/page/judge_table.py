"""Table of the page that compares scores of proxies and judges."""

from typing import Any

import numpy as np

from paretosteer.report.analysis.evaluate_table import TableResult


def judge_table(result: TableResult) -> dict[str, Any]:
    """Every objective where it has the most weight, by proxy and by judge (None if not judged)."""
    setting = result.table.setting
    assert setting  # a scored table has one
    best = np.array(setting.preferences).argmax(axis=0)  # (m,) places
    rows = []
    for each in result.scored:
        assert each.curves  # scored
        judged = each.curves.judged
        pairs = [
            (each.curves.band.mean[place, i], None if judged is None else judged[place, i])
            for i, place in enumerate(best)
        ]
        rows.append((each.row, [value for pair in pairs for value in pair]))
    columns = [f"{name}: {who}" for name in setting.names for who in ("proxy", "judge")]
    return {"columns": columns, "rows": rows}
