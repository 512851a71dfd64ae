"""The comparison of two results folders sees what changes a figure and nothing else."""

import json
import shutil
from pathlib import Path

import pandas as pd
import pytest
from compare_results import compare, main

from paretosteer.commands.main import main as paretosteer


@pytest.fixture(scope="module")
def sweep(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("before") / "sweep"
    overrides = ["benchmark=bandit", "budget=smoke", "method=clp,start", f"sweep_dir={folder}"]
    assert paretosteer(["sweep", *overrides]) == 0
    return folder


def test_equal_runs_have_no_differences(sweep: Path, tmp_path: Path) -> None:
    again = tmp_path / "again"
    overrides = ["benchmark=bandit", "budget=smoke", "method=clp,start", f"sweep_dir={again}"]
    assert paretosteer(["sweep", *overrides]) == 0
    assert list(compare(sweep, again)) == []
    assert main(sweep, again) == 0


def test_one_bit_of_a_score_is_a_difference(sweep: Path, tmp_path: Path) -> None:
    changed = tmp_path / "changed"
    shutil.copytree(sweep, changed)
    (path,) = changed.glob("bandit/clp/*/scores.parquet")
    scores = pd.read_parquet(path)
    scores.loc[3, "reward_1"] += 1e-12
    scores.to_parquet(path, index=False)
    (line,) = compare(sweep, changed)
    assert line.endswith("scores.parquet differs") and "'clp'" in line


def test_a_figure_of_the_report_is_a_difference(sweep: Path, tmp_path: Path) -> None:
    changed = tmp_path / "changed"
    shutil.copytree(sweep, changed)
    path = changed / "report" / "report.json"
    report = json.loads(path.read_text())
    report["tables"][0]["rows"][0]["figures"]["hypervolume"] += 1e-9
    path.write_text(json.dumps(report))
    (line,) = compare(sweep, changed)
    assert "tables[0].rows[0].figures.hypervolume" in line


def test_a_cell_that_is_missing_is_a_difference(sweep: Path, tmp_path: Path) -> None:
    changed = tmp_path / "changed"
    shutil.copytree(sweep, changed)
    shutil.rmtree(changed / "bandit" / "clp")
    assert any("only in" in line for line in compare(sweep, changed))
    assert main(tmp_path / "changed" / "bandit" / "nothing", changed) == 1
