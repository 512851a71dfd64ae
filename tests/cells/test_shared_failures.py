"""What cells of a sweep share is prepared once, also where it fails."""

from __future__ import annotations

from pathlib import Path

import pytest

from paretosteer.benchmarks.bandit.benchmark import Bandit
from paretosteer.cells.record import FailedRecord, read_record
from paretosteer.commands.main import main
from paretosteer.errors import UsageError

SWEEP = (
    *("sweep", "benchmark=bandit", "budget=smoke", "budget.steps=2", "budget.prompts=4"),
    *("preferences.divisions=1", "method=clp,start", "seed=0,1"),
)


def failing(monkeypatch: pytest.MonkeyPatch, name: str) -> list[int]:
    """Make a part of the benchmark fail where it has few prompts, and count the calls."""
    calls: list[int] = []
    normal = getattr(Bandit, name)
    work = normal.func if name == "normaliser" else normal

    def fails(self: Bandit, *given: object) -> object:
        (setting,) = given[1:] or (self.setting,)
        if setting.budget.prompts == 4:  # type: ignore[attr-defined]
            calls.append(1)
            raise UsageError("benchmark: the start model is too poor")
        return work(self, *given)

    monkeypatch.setattr(Bandit, name, property(fails) if name == "normaliser" else fails)
    return calls


@pytest.mark.parametrize("part", ["__init__", "normaliser"])
def test_a_failure_of_shared_work_is_found_once_and_printed_once(
    part: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    calls = failing(monkeypatch, part)
    assert main([*SWEEP, f"sweep_dir={tmp_path}"]) == 1
    assert len(calls) == 1
    errors = capsys.readouterr().err
    assert errors.count("the start model is too poor") == 1
    assert errors.count("for the same reason as before") == 3
    records = [read_record(path.parent) for path in tmp_path.rglob("record.json")]
    messages = [each.error.message for each in records if isinstance(each, FailedRecord)]
    assert messages == ["benchmark: the start model is too poor"] * 4


def test_cells_with_another_benchmark_part_are_tried(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    calls = failing(monkeypatch, "__init__")
    words = [word for word in SWEEP if not word.startswith("budget.prompts")]
    assert main([*words, "budget.prompts=4,5", f"sweep_dir={tmp_path}"]) == 1
    assert len(calls) == 1
    statuses = [read_record(path.parent).status for path in tmp_path.rglob("record.json")]
    assert sorted(statuses) == ["failed"] * 4 + ["ok"] * 4


def test_another_sweep_tries_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with monkeypatch.context() as patch:
        failing(patch, "__init__")
        assert main([*SWEEP, f"sweep_dir={tmp_path}"]) == 1
    assert main([*SWEEP, f"sweep_dir={tmp_path}"]) == 0
