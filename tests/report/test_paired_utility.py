"""Which rows do not differ in utility: by paired differences, not by intervals that overlap."""

from pathlib import Path

import pandas as pd
from report_cells import EDGE, concave, only, write_cell

from paretosteer.report.analysis.paired_utility import alike


def _moved_scores(folder: Path, source: Path, by: float) -> None:
    """Give a cell another's scores, moved by the same amount everywhere."""
    scores = pd.read_parquet(source / "scores.parquet")
    scores[["sentiment", "variety"]] += by
    scores.to_parquet(folder / "scores.parquet")


def test_a_small_but_constant_difference_is_significant(tmp_path: Path) -> None:
    first = write_cell(tmp_path, "clp", concave(2.0))
    second = write_cell(tmp_path, "bone_soup", concave(2.0))
    _moved_scores(second, first, 0.001)
    result = only(tmp_path)
    one, other = (each.curves.utility for each in result.scored if each.curves)
    assert (one.low < other.high).all()  # the intervals overlap
    assert alike(result) == [[[]] * len(EDGE)] * 2


def test_noise_makes_rows_alike_wherever_it_is_larger(tmp_path: Path) -> None:
    write_cell(tmp_path, "clp", concave(2.0))
    write_cell(tmp_path, "bone_soup", lambda mu: concave(2.0)(mu) - 3 * (mu[0] == 1))
    found = alike(only(tmp_path))
    assert all(set(row[place]) <= {0, 1} for row in found for place in range(len(EDGE)))
    assert found[0][-1] == found[1][-1] == []  # the report sorts preferences: weight 1 comes last
    assert sum(map(len, found[0])) == sum(map(len, found[1])) > 0
