"""Which rows do not differ in utility: by paired differences, not by intervals that overlap."""

from pathlib import Path

import pandas as pd
from report_cells import EDGE, concave, only, write_cell

from paretosteer.report.analysis.paired_utility import PairedUtility
from paretosteer.report.page.utility_table import utility_table


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
    assert PairedUtility(result).alike() == [[[]] * len(EDGE)] * 2


def test_noise_makes_rows_alike_wherever_it_is_larger(tmp_path: Path) -> None:
    write_cell(tmp_path, "clp", concave(2.0))
    write_cell(tmp_path, "bone_soup", lambda mu: concave(2.0)(mu) - 3 * (mu[0] == 1))
    found = PairedUtility(only(tmp_path)).alike()
    assert all(set(row[place]) <= {0, 1} for row in found for place in range(len(EDGE)))
    assert found[0][-1] == found[1][-1] == []  # the report sorts preferences: weight 1 comes last
    assert sum(map(len, found[0])) == sum(map(len, found[1])) > 0


def test_the_table_shows_each_preferences_best_and_the_distance_to_it(tmp_path: Path) -> None:
    first = write_cell(tmp_path, "clp", concave(2.0))
    second = write_cell(tmp_path, "bone_soup", concave(2.0))
    _moved_scores(second, first, -0.1)
    write_cell(tmp_path, "morl", concave(3.0), changes={"exempt": True})
    result = only(tmp_path)
    table = utility_table(result, PairedUtility(result))
    assert table and table["columns"][0] == "(1, 0)" and table["count"] == len(EDGE)
    cells = {row.label: own for row, own in table["rows"]}
    assert all(cell["best"] for cell in cells["clp"])
    # 0.1 in raw units of 0.5 and 0.25 standard deviations, the same at every prompt.
    assert cells["bone_soup"][0]["text"] == "−0.20 [−0.20, −0.20]"
    assert not any(cell["best"] or cell["tied"] for cell in cells["bone_soup"])
    assert all(cell["text"].startswith("+") and not cell["best"] for cell in cells["morl"])


def test_a_single_row_has_nothing_to_be_compared_with(tmp_path: Path) -> None:
    write_cell(tmp_path, "clp", concave(2.0))
    result = only(tmp_path)
    assert utility_table(result, PairedUtility(result)) is None
