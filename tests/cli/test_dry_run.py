"""What a dry run knows of earlier runs: snapshots, and the time that cells took."""

import os
from pathlib import Path

import pytest

from paretosteer.cells.plan import plan_cell
from paretosteer.cells.resume import PartialStages
from paretosteer.commands.main import main
from paretosteer.config.schema import CellConfig
from paretosteer.sweeps.compose import compose_cell
from paretosteer.sweeps.estimate import CellWork, estimate

CELL = ("benchmark=bandit", "budget=smoke", "threads=1")


class Stopped(KeyboardInterrupt):
    """Stands for Ctrl-C."""


@pytest.fixture(scope="module")
def sweep(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A finished cell, and one that was stopped in training after five of its steps."""
    folder = tmp_path_factory.mktemp("dry") / "sweep"
    before = Path.cwd()
    os.chdir(folder.parent)
    try:
        assert main(["run", *CELL, "method=clp", f"sweep_dir={folder}"]) == 0
        from paretosteer.runtime import progress

        def stop(text: str, out: bool = False) -> None:
            if "step 5/20" in text:
                raise Stopped

        lines = progress.Lines()
        lines.line = stop  # type: ignore[method-assign]
        with progress.shown_by(lines):
            stopped = [*CELL, "method=clp", "seed=1", "checkpoint_seconds=0"]
            assert main(["run", *stopped, f"sweep_dir={folder}"]) == 130
    finally:
        os.chdir(before)
    return folder


def config(sweep: Path, *overrides: str) -> CellConfig:
    return compose_cell([*CELL, f"sweep_dir={sweep}", *overrides])


def test_the_step_of_a_snapshot_is_read(sweep: Path) -> None:
    plan = plan_cell(config(sweep, "method=clp", "seed=1", "checkpoint_seconds=0"))
    assert PartialStages(plan, "cpu").trained_steps() == 4  # the fifth was not written
    assert PartialStages(plan, "cuda").trained_steps() == 0


def test_a_dry_run_shows_snapshots_and_time(
    sweep: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    arguments = [*CELL, "method=clp,rewarded_soup", "seed=0,1", f"sweep_dir={sweep}"]
    assert main(["sweep", *arguments, "--dry-run"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert "finished" in lines[1] and "resumes at step 4" in lines[2] and "to do" in lines[3]
    assert lines[2].split()[-2:] == ["16", "128"]
    assert lines[-2].startswith("4 cells; left to train: 56 optimiser steps")
    assert lines[-1].startswith("about ") and lines[-1].endswith("estimated from 1 finished cell")


def test_estimates_use_the_methods_own_cells_and_need_the_same_budget(sweep: Path) -> None:
    one = CellWork(config(sweep, "method=rewarded_soup"), 20, samples=True)
    found = estimate([one, one])
    assert found is not None and found.cells == 1 and found.seconds > 0
    nothing = CellWork(config(sweep, "method=clp"), 0, samples=False)
    assert estimate([nothing]) is None
    other = CellWork(config(sweep, "budget=quick", "method=clp"), 20, samples=True)
    assert estimate([other]) is None
    assert estimate([CellWork(config(sweep / "none"), 20, samples=True)]) is None


def test_only_what_differs_between_cells_has_a_column(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    start = ["sweep", f"sweep_dir={tmp_path}"]
    assert main([*start, "method=clp,bone_soup", "benchmark=bandit", "--dry-run"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[0].split() == ["method", "variant", "seed", "stages", "steps", "rows"]
    assert lines[-2] == "benchmark bandit, model embedded"
    assert main([*start, "method=clp", "benchmark=bandit,stories", "--dry-run"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[0].split()[:3] == ["benchmark", "model", "method"]
    assert [line.split()[0] for line in lines[1:3]] == ["bandit", "stories"]


@pytest.mark.parametrize(
    "axis",
    [
        "budget.test_prompts=2,3",
        "budget.test_samples=1,2",
        "preferences.divisions=2,4",
        "evaluation.common_noise=true,false",
    ],
)
def test_cells_that_would_replace_each_other_are_refused(
    axis: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    given = ["sweep", *CELL, "method=clp", axis, f"sweep_dir={tmp_path}", "--dry-run"]
    assert main(given) == 2
    problem = capsys.readouterr().err
    assert f"{axis.partition('=')[0]}: two cells of this sweep differ in it only after" in problem


def test_equal_cells_may_share_a_folder(tmp_path: Path) -> None:
    given = ["sweep", *CELL[:2], "method=clp", "threads=1,2", f"sweep_dir={tmp_path}"]
    assert main([*given, "--dry-run"]) == 0
