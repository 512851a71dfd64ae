"""`evaluation.common_noise=false`: every method and preference is sampled with noise of its own."""

from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest

from paretosteer.cells.cell import cell_folders, read_cell
from paretosteer.cells.plan import CellPlan
from paretosteer.cells.scores import read_values
from paretosteer.commands.main import main
from paretosteer.config.schema import CellConfig
from paretosteer.report.analysis.evaluate_table import evaluate
from paretosteer.report.analysis.tables import make_tables
from paretosteer.report.outputs.notes import notes
from paretosteer.report.outputs.text_tables import apart
from paretosteer.sweeps.compose import compose_cell

BANDIT = ["benchmark=bandit", "budget=smoke", "method=start"]
OWN = "evaluation.common_noise=false"


def run(folder: Path, *further: str) -> None:
    words = ["benchmark=stories", "budget=smoke", "method=start", "threads=1"]
    assert main(["run", *words, f"sweep_dir={folder}", *further]) == 0


def values(folder: Path) -> np.ndarray:
    (path,) = cell_folders(folder)
    return read_values(read_cell(path))  # (k, prompts, m)


def test_only_the_samples_change() -> None:
    usual, own = (CellPlan.of(compose_cell([*BANDIT, *more])) for more in ([], [OWN]))
    assert usual.identity == own.identity
    assert usual.digests["sample"] != own.digests["sample"]
    assert usual.digests["score"] != own.digests["score"]
    again = CellPlan.of(compose_cell([*BANDIT, "evaluation.common_noise=true"]))
    assert again.digests == usual.digests


def test_the_usual_evaluation_is_not_recorded() -> None:
    usual, own = (compose_cell([*BANDIT, *more]) for more in ([], [OWN]))
    assert "evaluation" not in usual.model_dump()
    assert CellConfig.parse(usual.model_dump()) == usual
    assert CellConfig.parse(own.model_dump()) == own
    assert OWN in own.command and "evaluation" not in usual.command


@pytest.mark.slow
def test_every_point_has_its_own_noise(tmp_path: Path) -> None:
    """The start model ignores preferences, so with common noise all of its points are equal."""
    run(tmp_path / "usual")
    run(tmp_path / "own", OWN)
    usual, own = values(tmp_path / "usual"), values(tmp_path / "own")
    assert (usual == usual[0]).all()
    assert not any((a == b).all() for a, b in pairwise(own))
    found = make_tables(map(read_cell, cell_folders(tmp_path / "usual", tmp_path / "own"))).tables
    results = [evaluate(table) for table in found]
    assert len(results) == 2  # not mixed
    said = apart(results)
    assert sorted(text.rpartition("random numbers ")[2] for text in said.values()) == [
        "no.",
        "yes.",
    ]
    marked = [any("without common random numbers" in each for each in notes(r)) for r in results]
    assert sorted(marked) == [False, True]
