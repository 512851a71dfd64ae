"""`paretosteer report --paper`: published numbers beside a sweep's rows, or what does not fit."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest
from report_cells import moved, only, write_cell

from paretosteer import simplex
from paretosteer.commands.main import main
from paretosteer.report.columns import BUILT_IN
from paretosteer.report.published_tables import PAPERS

ELEVEN = simplex.lattice(2).tolist()
PUBLISHED = Path(__file__).parents[2] / "docs" / "published.md"


def write(folder: Path, names: Sequence[str], grid: Sequence[Sequence[float]]) -> None:
    for seed in (0, 1):
        write_cell(folder, "clp", moved(0.2), grid=grid, names=names, noise=0.1, seed=seed)


def printed(capsys: pytest.CaptureFixture[str], *words: str) -> str:
    assert main(["report", *words]) == 0
    return capsys.readouterr().out


@pytest.mark.parametrize("paper", PAPERS)
def test_the_page_has_the_same_numbers(paper: str) -> None:
    text = PUBLISHED.read_text()
    declared = {each.name for each in BUILT_IN}
    for each in PAPERS[paper].tables:
        assert {column.figure for column in each.columns} - {""} <= declared
        for method, values in each.rows.items():
            assert len(values) == len(each.columns)
            assert f"| {method} | {' | '.join(values)} |" in text
        if each.columns:
            assert f"| | {' | '.join(column.heading for column in each.columns)} |" in text
        if each.grid and each.objectives:
            grid = getattr(simplex, each.grid)(len(each.objectives))
            assert len(grid) == each.points


def test_rows_beside_published_ones(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    write(tmp_path, ("safe", "helpful"), ELEVEN)
    shown = printed(capsys, str(tmp_path), "--paper", "parm")
    assert ["PARM", "paper", "113.38", "2.59"] in [line.split() for line in shown.splitlines()]
    assert "HV: give the reference point with --raw-reference=A,B" in shown
    assert "reference point of the hypervolume is unknown" in shown
    assert "65B" not in shown.splitlines()[0] and "In the paper: Alpaca-7B." in shown
    shown = printed(capsys, str(tmp_path), "--paper", "parm", "--raw-reference=-1,-1")
    (result,) = [only(tmp_path)]
    (ours,) = [line.split() for line in shown.splitlines() if line.startswith("clp")]
    assert float(ours[-1]) == pytest.approx(result.scored[0].figures["mip_raw"], rel=1e-3)
    assert "Reference point given for our HV: (−1, −1)." in shown
    shown = printed(capsys, str(tmp_path), "--paper", "mi_epo")
    assert "MI-EPO" in shown and "2.70" in shown and "second-hand" in shown


def test_points_of_a_paper_that_prints_no_numbers(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    grid = simplex.ric13(3).tolist()
    write(tmp_path, ("helpful", "harmless", "humour"), grid)
    lines = printed(capsys, str(tmp_path), "--paper", "ric").splitlines()
    ours = [line.split() for line in lines if line.startswith("clp")]
    assert len(ours) == 13
    (corner,) = [line for line in ours if line[1:4] == ["(1,", "0,", "0)"]]
    raw = np.array([float(value.replace("−", "-")) for value in corner[4:]])
    own = only(tmp_path).scored[0].row.replicates
    # The corner of the first objective is the last one in ascending order.
    expected = np.mean([each.inputs["raw_points"][-1] for each in own], axis=0)
    assert raw.tolist() == pytest.approx(expected.tolist(), abs=1e-3)
    assert any("No published numbers are known" in line for line in lines)


@pytest.mark.parametrize(
    ("names", "grid", "expected"),
    [
        (("safe", "helpful"), [[1, 0], [0.5, 0.5], [0.25, 0.75]], "3 preferences, 2 of them among"),
        (("length", "style"), ELEVEN, "table 1 has length, style on 11 preferences"),
    ],
)
def test_cells_that_do_not_fit(
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    names: Sequence[str],
    grid: Sequence[Sequence[float]],
    expected: str,
) -> None:
    write(tmp_path, names, grid)
    assert main(["report", str(tmp_path), "--paper", "parm"]) == 2
    said = capsys.readouterr().err
    assert expected in said
    assert "`paretosteer sweep experiment=parm_safety budget=full`" in said


def test_what_does_not_go_together(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["report", "a", "b", "--compare", "--paper", "parm"]) == 2
    assert main(["report", "a", "--paper", "parm", "--out", "b"]) == 2
    assert "--paper" in capsys.readouterr().err
