"""Every reader of cells says where their files are not those that were recorded."""

import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
from report_cells import moved, write_cell

from paretosteer import leaderboard, load_points, load_scores, simplex
from paretosteer.commands.main import main

GRID = simplex.lattice(2).tolist()


def printing(*words: str) -> Callable[[Path], object]:
    return lambda folder: main([word.replace("{}", str(folder)) for word in words])


def test_points_in_other_units_are_named(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """As of two start models in folders of one name."""
    cells = [
        write_cell(
            tmp_path,
            method,
            moved(0.1),
            grid=GRID,
            changes={"normaliser": {"mean": [0.0, 0.0], "std": [1.0, std]}},
        )
        for method, std in (("clp", 1.0), ("morl", 1.0), ("ric", 2.0), ("start", 2.0))
    ]
    load_points(*cells[:2])
    assert "units" not in "".join(capsys.readouterr())
    load_points(tmp_path)
    assert "".join(capsys.readouterr()).count("are in other units") == 1


@pytest.mark.parametrize("read", [load_points, load_scores])
def test_cells_that_repeat_others_are_named(
    read: Callable[[Path], object], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """A copy, or a run of the same settings by other code."""
    cells = [write_cell(tmp_path, "clp", moved(0.1), grid=GRID, seed=seed) for seed in (0, 1)]
    read(tmp_path)
    assert "repeats" not in "".join(capsys.readouterr())
    shutil.copytree(cells[0], tmp_path / "copy" / cells[0].name)
    read(tmp_path)
    said = "".join(capsys.readouterr())
    assert said.count("repeats the settings and the seed of") == 1
    assert str(cells[0]) in said and str(tmp_path / "copy") in said


@pytest.mark.parametrize(
    "read",
    [
        leaderboard,
        load_points,
        load_scores,
        printing("report", "{}"),
        printing("report", "{}", "{}", "--compare"),
        printing("report", "{}", "--paper", "parm"),
        printing("plan", "{}", "--detect", "0.3"),
    ],
    ids=["leaderboard", "load_points", "load_scores", "report", "compare", "paper", "plan"],
)
def test_scores_of_another_cell_are_named(
    read: Callable[[Path], object], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    options = {"grid": GRID, "names": ("safe", "helpful"), "noise": 0.1, "digests": True}
    cells = [
        write_cell(tmp_path, method, moved(by), seed=seed, **options)
        for method, by in (("clp", 0.1), ("morl", 0.3))
        for seed in (0, 1)
    ]
    warning = "scores.parquet is not the file that was recorded, so its figures may be another"
    read(tmp_path)
    assert warning not in "".join(capsys.readouterr())
    shutil.copy(cells[1] / "scores.parquet", cells[0])
    read(tmp_path)
    told = " ".join("".join(capsys.readouterr()).split())
    assert f"clp/{cells[0].name}: {warning}" in told


def test_tables_of_one_name_say_what_keeps_them_apart(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    write_cell(tmp_path, "clp", moved(0.1), changes={"dtype": "float32"})
    assert main(["report", str(tmp_path)]) == 0
    assert "Not comparable" not in capsys.readouterr().out
    write_cell(tmp_path, "morl", moved(0.1), changes={"dtype": "bfloat16"})
    assert main(["report", str(tmp_path)]) == 0
    told = " ".join(capsys.readouterr().out.split())
    for dtype in ("float32", "bfloat16"):
        assert f"Of these, only this one has: precision {dtype}." in told
