"""Report of cells whose objectives have judges, second reward models."""

import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from report_cells import EDGE, concave, only, write_cell

from paretosteer.cells.cell import find_cells
from paretosteer.cells.scores import UnreadableError, read_judged
from paretosteer.report import write_report

UNITS = {"mean": [10.0, -10.0], "std": [2.0, 4.0]}
FIGURES = {"source": "trained on pairs", "held_out_pairs": 9, "accuracy": 0.7}
MODELS = {name: FIGURES | {"baseline_accuracy": 0.6} for name in ("sentiment", "variety")}


def write_judged(folder: Path, method: str, share: float, seed: int = 0) -> Path:
    """A cell whose judge sees the first objective as the proxy does, of the second a share."""
    judged = {"models": MODELS, "judges": MODELS, "judge_normaliser": UNITS}
    cell = write_cell(folder, method, concave(2.0), seed=seed, changes={"reward_models": judged})
    units = json.loads((cell / "record.json").read_text())["normaliser"]
    scores = pd.read_parquet(cell / "scores.parquet")
    for i, (name, seen) in enumerate((("sentiment", 1.0), ("variety", share))):
        z = (scores[name] - units["mean"][i]) / units["std"][i]
        scores[name] = seen * z * UNITS["std"][i] + UNITS["mean"][i]
    scores.to_parquet(cell / "judge.parquet")
    return cell


def test_judges_are_in_units_of_their_own(tmp_path: Path) -> None:
    write_judged(tmp_path, "clp", 0.25, seed=0)
    write_judged(tmp_path, "clp", 0.25, seed=1)
    (each,) = only(tmp_path).scored
    assert each.curves and each.curves.judged is not None
    np.testing.assert_allclose(each.curves.judged, each.curves.band.mean * [1, 0.25], atol=1e-9)


@pytest.mark.figures
def test_proxy_and_judge_stand_side_by_side(tmp_path: Path) -> None:
    write_judged(tmp_path, "clp", 0.1)
    write_cell(tmp_path, "bone_soup", concave(1.5))  # not judged
    report = write_report([tmp_path])
    page = report.page.read_text()
    assert "Would another judge agree?" in page
    for form in ("svg", "png"):
        assert (report.folder / "figures" / f"judged-1.{form}").stat().st_size > 1000
    rows = json.loads((report.folder / "report.json").read_text())["tables"][0]["rows"]
    by_method = {each["figures"]["method"]: each for each in rows}
    assert len(by_method["clp"]["judged_points"]) == len(EDGE)
    assert by_method["bone_soup"]["judged_points"] is None
    (cells,) = [
        cell["reward_models"]
        for cell in json.loads((report.folder / "report.json").read_text())["cells"]
        if cell["method"] == "clp"
    ]
    assert cells["models"]["variety"]["accuracy"] == 0.7


def test_without_judges_nothing_speaks_of_them(tmp_path: Path) -> None:
    write_cell(tmp_path, "clp", concave(1.5))
    report = write_report([tmp_path])
    assert "another judge" not in report.page.read_text()
    assert not list((report.folder / "figures").glob("judged*"))


def test_a_judge_that_left_no_scores_is_no_finished_cell(tmp_path: Path) -> None:
    (write_judged(tmp_path, "clp", 0.5) / "judge.parquet").unlink()
    (cell,) = find_cells(tmp_path)
    with pytest.raises(UnreadableError, match=r"judge\.parquet"):
        read_judged(cell)
    assert write_report([tmp_path]).counts == {"unreadable": 1}
