"""Points of the learning curves, from the training log of a cell."""

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from paretosteer.report.page.learning_curves import learning_curves


def curve(folder: Path, phases: str) -> Any:
    """Curve of a log whose loss is the step, with a letter of `phases` for each step."""
    rows = [f"{step},{phase},{step}" for step, phase in enumerate(phases, start=1)]
    (folder / "training.csv").write_text("\n".join(["step,phase,loss", *rows]) + "\n")
    cell = SimpleNamespace(path=folder, seed=3)
    row = SimpleNamespace(replicates=[SimpleNamespace(cell=cell)])
    curves = learning_curves(SimpleNamespace(scored=[SimpleNamespace(row=row)]))  # type: ignore[arg-type]
    assert curves is not None and curves["quantities"] == ["loss"]
    (drawn,) = curves["rows"]
    return drawn


def test_a_point_is_the_mean_of_steps_of_one_phase(tmp_path: Path) -> None:
    drawn = curve(tmp_path, "aaaaaabb")
    assert drawn["phases"] == ["a", "a", "b"]
    assert drawn["steps"] == [4, 6, 8]
    assert drawn["means"]["loss"] == [2.5, 5.5, 7.5]
    assert drawn["seed"] == 3


@pytest.mark.parametrize(("steps", "points"), [(24, 6), (120, 30), (3000, 30)])
def test_few_points_of_several_steps(steps: int, points: int, tmp_path: Path) -> None:
    assert len(curve(tmp_path, "a" * steps)["steps"]) == points
