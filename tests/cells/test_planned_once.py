"""A cell is planned once in a process, and its plan is handed on."""

from __future__ import annotations

import pickle
import shutil
from pathlib import Path

import pytest

from paretosteer.cells.plan import CellPlan
from paretosteer.cells.record import read_record
from paretosteer.commands.main import main
from paretosteer.config.schema import CellConfig
from paretosteer.sweeps.compose import compose_cell
from paretosteer.sweeps.sweep import Job, PlannedCell

SMALL = (
    *("benchmark=bandit", "budget=smoke", "budget.steps=2", "budget.prompts=4"),
    "preferences.divisions=1",
)


@pytest.fixture
def planned(monkeypatch: pytest.MonkeyPatch) -> list[tuple[str, int]]:
    """Method and seed of every configuration for which a plan is made."""
    found: list[tuple[str, int]] = []
    make = CellPlan.of.__func__  # type: ignore[attr-defined]

    def of(kind: type[CellPlan], config: CellConfig) -> CellPlan:
        found.append((config.method.name, config.seed))
        return make(kind, config)

    monkeypatch.setattr(CellPlan, "of", classmethod(of))
    return found


def test_a_run_plans_its_cell_once(tmp_path: Path, planned: list[tuple[str, int]]) -> None:
    for _ in ("at first", "when it is finished"):
        assert main(["run", *SMALL, "method=clp", f"sweep_dir={tmp_path}"]) == 0
        assert planned == [("clp", 0)]
        planned.clear()


def test_a_sweep_plans_every_cell_once(tmp_path: Path, planned: list[tuple[str, int]]) -> None:
    words = ["sweep", *SMALL, "method=clp,start", "seed=0,1", f"sweep_dir={tmp_path}"]
    for _ in ("at first", "when it is finished"):
        assert main(words) == 0
        assert sorted(planned) == [("clp", 0), ("clp", 1), ("start", 0), ("start", 1)]
        planned.clear()


def test_a_cell_that_cannot_be_planned_is_not_planned_again(
    tmp_path: Path, planned: list[tuple[str, int]]
) -> None:
    words = ["sweep", *SMALL, "method=clp", "seed=0,1", "budget.name=none", "budget.steps=2,null"]
    assert main([*words, f"sweep_dir={tmp_path}"]) == 1
    assert sorted(planned) == [("clp", 0), ("clp", 0), ("clp", 1), ("clp", 1)]
    statuses = [read_record(path.parent).status for path in tmp_path.rglob("record.json")]
    assert sorted(statuses) == ["failed", "failed", "ok", "ok"]


def test_a_job_in_another_process_knows_no_plans() -> None:
    cell = PlannedCell.of(compose_cell([*SMALL, "method=clp"]))
    (carried,) = pickle.loads(pickle.dumps(Job([cell]))).cells
    assert (carried.config, carried.plan) == (cell.config, None)


def test_files_that_change_after_the_plan_was_made_fail_the_cell(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    from paretosteer.benchmarks.bandit.benchmark import Bandit

    keys = iter(("at the plan", "at the run"))
    monkeypatch.setattr(Bandit, "model_key", classmethod(lambda *args: next(keys)))
    assert main(["run", *SMALL, "method=clp", f"sweep_dir={tmp_path}"]) == 2
    assert "have changed since the cell was planned; run the command again" in (
        capsys.readouterr().err
    )
    assert not list(tmp_path.iterdir())


def test_files_that_change_while_the_benchmark_reads_them_fail_the_cell(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    from paretosteer.benchmarks.bandit.benchmark import Bandit

    keys = iter(("before", "before", "after"))
    monkeypatch.setattr(Bandit, "model_key", classmethod(lambda *args: next(keys)))
    assert main(["run", *SMALL, "method=clp", f"sweep_dir={tmp_path}"]) == 2
    assert "have changed since the cell was planned" in capsys.readouterr().err
    assert not list(tmp_path.rglob("record.json"))


def test_files_that_change_while_the_method_reads_them_fail_the_cell(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    from paretosteer.methods.clp import CLP

    keys = iter(digit * 64 for digit in "0001")  # digests: the last one is of other files
    monkeypatch.setattr(CLP, "content_key", classmethod(lambda *args: next(keys)))
    assert main(["run", *SMALL, "method=clp", f"sweep_dir={tmp_path}"]) == 2
    assert "have changed since the cell was planned" in capsys.readouterr().err
    (record,) = tmp_path.rglob("record.json")
    assert read_record(record.parent).stages == {}


def test_an_edit_of_the_file_of_preferences_is_sampled_again(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file, out = tmp_path / "preferences.txt", tmp_path / "out"
    small = ["run", *SMALL[:-1], "method=clp", f"sweep_dir={out}"]
    for text in ("1,0\n0,1\n", "0.5,0.5\n0.2,0.8\n0.9,0.1\n"):
        file.write_text(text)
        assert main([*small, "preferences=file", f"preferences.path={file}"]) == 0
        (record,) = out.rglob("record.json")
        points = [list(point) for point in read_record(record.parent).preferences]
        assert points == [[float(x) for x in line.split(",")] for line in text.split()]
    assert "training is finished, not repeated" in capsys.readouterr().err
    copy = shutil.copy(file, tmp_path / "other.txt")  # of the same content
    assert main([*small, "preferences=file", f"preferences.path={copy}"]) == 0
    assert "finished before, reused" in capsys.readouterr().err
    file.unlink()
    assert main(["validate", str(out)]) == 0
