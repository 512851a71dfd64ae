"""Rows at other preferences count as sets of points, and the report says what is not compared."""

from pathlib import Path

import numpy as np
import pytest
from report_cells import EDGE, GRID, TRIANGLE, moved, write_cell

from paretosteer import metrics
from paretosteer.cells.cell import find_cells
from paretosteer.report.analysis.evaluate_table import TableResult, evaluate
from paretosteer.report.analysis.tables import make_tables
from paretosteer.report.outputs.notes import notes
from paretosteer.report.outputs.score_csv import score_csv
from paretosteer.report.outputs.text_tables import apart
from paretosteer.report.page.heat import coverage_matrix
from paretosteer.report.write import write_report


def evaluated(folder: Path) -> dict[int, TableResult]:
    """Tables of a folder by their number of preferences."""
    results = [evaluate(table) for table in make_tables(find_cells(folder)).tables]
    return {len(each.table.setting.grid): each for each in results if each.table.setting}


@pytest.fixture
def sweep(tmp_path: Path) -> Path:
    """Two rows on five preferences, and a better one on three."""
    for method, by, grid in (("clp", 0.5, EDGE), ("morl", 0.0, EDGE), ("bone_soup", 1.0, GRID)):
        write_cell(tmp_path, method, moved(by), grid=grid, noise=0)
    return tmp_path


def test_rows_on_another_grid_are_in_front_dominance_and_coverage(sweep: Path) -> None:
    results = evaluated(sweep)
    five, three = results[5], results[3]
    everything = np.concatenate([2 * np.array(EDGE) + 0.5, 2 * np.array(GRID) + 1])
    expected = everything[metrics.nondominated(everything)]
    for result in (five, three):
        assert np.sort(result.union, axis=0) == pytest.approx(np.sort(expected, axis=0))
    clp, morl = five.scored
    assert (clp.row.label, morl.row.label) == ("clp", "morl")
    assert morl.figures["dominated_by"] == 2  # clp at every preference, bone_soup as a set
    assert clp.figures["hypervolume_ratio"] < 1
    assert three.scored[0].figures["dominated_by"] == 0
    matrix = coverage_matrix(five)
    assert matrix
    name = f"bone_soup (table {three.table.number})"
    assert [label for label, _ in matrix["rows"]] == ["clp", "morl", name]
    shares = dict(matrix["rows"])[name]
    assert shares[1]["value"] == 1 and shares[2] is None


def test_the_report_says_what_is_not_compared(sweep: Path) -> None:
    results = evaluated(sweep)
    (said,) = [note for note in notes(results[5]) if "Other grids" in note]
    assert f"table {results[3].table.number} has 3 preferences, 3 of them in common" in said
    assert "controllability are not compared" in said
    assert apart(list(results.values())) == {}
    report = write_report([sweep])
    assert "Other grids of preferences" in report.page.read_text()


def test_tables_that_differ_otherwise_stay_apart(sweep: Path) -> None:
    write_cell(sweep, "modpo", moved(9.0), changes={"reference": [-2.0, -1.0]})
    results = [evaluate(table) for table in make_tables(find_cells(sweep)).tables]
    assert sorted(len(each.table.other_grids) for each in results) == [0, 1, 1]
    assert max(each.figures["dominated_by"] for result in results for each in result.scored) == 2


def test_weights_that_differ_by_rounding_are_one_grid(tmp_path: Path) -> None:
    rounded = [[float(f"{weight:.12g}") for weight in mu] for mu in TRIANGLE]
    assert rounded != TRIANGLE
    write_cell(tmp_path, "clp", moved(0.5), grid=TRIANGLE)
    write_cell(tmp_path, "morl", moved(0.0), grid=rounded[::-1])
    (table,) = make_tables(find_cells(tmp_path)).tables
    assert len(table.rows) == 2 and not table.other_grids


def test_points_of_a_file_on_another_grid(tmp_path: Path) -> None:
    lines = ["method,w_a,w_b,a,b", "x,1,0,2,0", "x,0,1,0,2", "y,0.5,0.5,3,3"]
    (tmp_path / "points.csv").write_text("\n".join(lines))
    frame = score_csv(tmp_path / "points.csv", [-1, -1]).set_index("method")
    assert frame["table"].tolist() == [1, 2]
    assert frame["dominated_by"].tolist() == [1, 0]
    assert frame["coverage"].tolist() == [0, 1]
    assert frame["hypervolume_ratio"].tolist() == pytest.approx([(9 - 4) / 16, 1])
    assert frame["contribution_points"].tolist() == [0, 1]
