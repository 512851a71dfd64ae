"""A cell killed while it trains, samples or scores ends with the same tensors and scores."""

from __future__ import annotations

import gc
import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from dying import Death
from small_cells import cell_folder, contents, plan, run_cell
from small_model import write_model

from paretosteer.benchmarks.bandit.benchmark import Bandit
from paretosteer.benchmarks.stories.benchmark import Stories
from paretosteer.cells import evaluation, runner
from paretosteer.commands.main import main
from paretosteer.sweeps.compose import compose_cell
from paretosteer.sweeps.sweep import PlannedCell, finish_sweep, run_one
from paretosteer.tracking import Tracker
from paretosteer.training.feedback import Expectation
from paretosteer.training.snapshots import Journal, read_snapshot

CELLS = {
    "rewarded soup": ("method=rewarded_soup", "budget.steps=6"),
    "bone soup": ("method=bone_soup", "budget.steps=20"),  # probes, a choice, banks that are left
    "clipped epochs": ("method=clp", "method.epochs=2", "budget.steps=6"),
    "features": ("method=cos_dpo", "budget.steps=6"),
    "imitation": ("method=interpolation", "budget.steps=8"),
    "bank by bank": ("method=morl", "budget.steps=2"),
    "dropout": ("method=clp", "benchmark.policy=mlp", "method.dropout=0.3", "budget.steps=6"),
    "nothing kept of samples": ("method=clp", "benchmark=ranking", "budget.steps=3"),
}


TEXT = ("benchmark=stories", "method=rewarded_soup", "budget.steps=4", "model=hf")


class Killer(Tracker):
    """Dies when training has taken so many steps."""

    def __init__(self, last: int):
        self.last = last

    def log(self, step: int, row: Any) -> None:
        if step == self.last:
            raise Death


@pytest.fixture(autouse=True)
def _small(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(evaluation, "MOST", 4)
    monkeypatch.setattr(gc, "collect", lambda: 0)


@pytest.mark.parametrize("dropout", ["0", "0.2"])
def test_a_language_model_goes_on_to_the_same_result(tmp_path: Path, dropout: str) -> None:
    model = write_model(tmp_path / "model")
    overrides = (*TEXT, f"model.path={model}", f"method.dropout={dropout}")
    assert run_cell(tmp_path / "whole", *overrides)["status"] == "ok"
    for last in (2, 3, 4):
        with pytest.raises(Death):
            runner.run_cell(plan(tmp_path / "killed", *overrides), Killer(last))
    run_cell(tmp_path / "killed", *overrides)
    whole, killed = (cell_folder(tmp_path / name, *overrides) for name in ("whole", "killed"))
    assert contents(killed) == contents(whole)


class Hiccup(Killer):
    """Lets the next text have no score once training has taken a step."""

    step = 0

    def log(self, step: int, row: Any) -> None:
        Hiccup.step = step
        super().log(step, row)


def test_training_samples_without_a_score_are_noted_also_after_a_kill(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    scored = Stories.scored

    def score(text: str) -> float:
        if Hiccup.step != 1:
            return float(len(text) % 7)
        Hiccup.step = -1
        return float("nan")

    def replaced(self: Stories) -> Any:
        (objective, _), *others = scored(self)
        return [(objective, score), *others]

    monkeypatch.setattr(Stories, "scored", replaced)
    overrides = (*TEXT, f"model.path={write_model(tmp_path / 'model')}")
    noted = []
    for name, last in (("whole", 99), ("killed", 3)):
        cell = plan(tmp_path / name, *overrides)
        Hiccup.step = 0
        if last == 99:
            record = runner.run_cell(cell, Hiccup(last)).as_dict()
        else:  # in the second bank
            with pytest.raises(Death):
                runner.run_cell(cell, Hiccup(last))
            record = run_cell(tmp_path / name, *overrides)
        noted.append([note for note in record["notes"] if "training samples" in note])
    assert noted[0] == noted[1]
    assert len(noted[0]) == 1 and noted[0][0].startswith("1 of ")
    assert noted[0][0].endswith("could not be scored by positive, and were given the worst value.")


@pytest.fixture
def batches(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """One entry for every batch that training collects on the bandit."""
    collected: list[str] = []
    collect = Expectation.collect

    def counted(self: Expectation, *args: Any) -> Any:
        collected.append("batch")
        return collect(self, *args)

    monkeypatch.setattr(Expectation, "collect", counted)
    return collected


@pytest.mark.parametrize(
    ("overrides", "seconds"),
    [*((cell, 0) for cell in CELLS.values()), (CELLS["bone soup"], 3600)],
    ids=[*CELLS, "every phase"],
)
def test_training_goes_on_to_the_same_result(
    tmp_path: Path, overrides: tuple[str, ...], seconds: int
) -> None:
    overrides = (*overrides, f"checkpoint_seconds={seconds}")
    record = run_cell(tmp_path / "whole", *overrides)
    steps = record["cost"]["train_steps"]
    for last in (steps, steps // 2, max(1, steps // 2 - 1)):  # killed again, at another place
        with pytest.raises(Death):
            runner.run_cell(plan(tmp_path / "killed", *overrides), Killer(last))
        steps = record["cost"]["train_steps"]
    again = run_cell(tmp_path / "killed", *overrides)
    whole, killed = (cell_folder(tmp_path / name, *overrides) for name in ("whole", "killed"))
    assert contents(killed) == contents(whole)
    same = ("train_steps", "train_tokens", "selection_tokens", "reward_calls", "flops")
    assert {key: again["cost"][key] for key in same} == {key: record["cost"][key] for key in same}
    assert again["selection"] == record["selection"]


def test_steps_that_were_taken_are_not_taken_again(tmp_path: Path, batches: list[str]) -> None:
    overrides = ("method=clp", "budget.steps=6", "checkpoint_seconds=0")
    with pytest.raises(Death):
        runner.run_cell(plan(tmp_path, *overrides), Killer(5))
    told: list[int] = []

    class Listener(Tracker):
        def log(self, step: int, row: Any) -> None:
            told.append(step)

    batches.clear()
    runner.run_cell(plan(tmp_path, *overrides), Listener())
    assert told == [1, 2, 3, 4, 5, 6]  # a tracker has the whole curve again
    assert len(batches) == 2  # the fifth, of which there was no snapshot yet, and the sixth


def test_what_was_sampled_and_scored_is_not_done_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Killed at the third of five points, sampling and then scoring resume with the third."""
    overrides = ("method=clp", "preferences.divisions=4")
    done: list[str] = []
    for name in ("_sampled", "_scored"):
        make = getattr(evaluation.Evaluation, name)

        def counted(self: Any, block: range, *rest: Any, make: Any = make, name: str = name) -> Any:
            done.append(f"{name} {block.start}")
            if done.count(f"{name} 2") == 1 and block.start == 2:
                raise Death
            return make(self, block, *rest)

        monkeypatch.setattr(evaluation.Evaluation, name, counted)
    for _ in range(2):
        with pytest.raises(Death):
            run_cell(tmp_path, *overrides)
    assert run_cell(tmp_path, *overrides)["status"] == "ok"
    each = [0, 1, 2, 2, 3, 4]
    assert done == [f"_sampled {i}" for i in each] + [f"_scored {i}" for i in each]


def test_pieces_of_another_policy_are_not_used(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Killed while it samples, then its checkpoint is lost: what it sampled goes as well."""
    overrides = ("method=clp", "preferences.divisions=4")
    sampled: list[int] = []
    make = evaluation.Evaluation._sampled

    def counted(self: Any, block: range) -> Any:
        sampled.append(block.start)
        if len(sampled) == 3:
            raise Death
        return make(self, block)

    monkeypatch.setattr(evaluation.Evaluation, "_sampled", counted)
    with pytest.raises(Death):
        run_cell(tmp_path, *overrides)
    (cell_folder(tmp_path, *overrides) / "checkpoint" / "policy.safetensors").unlink()
    assert run_cell(tmp_path, *overrides)["status"] == "ok"
    assert sampled == [0, 1, 2, 0, 1, 2, 3, 4]


def test_a_reward_that_works_again_scores_what_it_could_not(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    overrides = ("method=clp", "preferences.divisions=4")
    with monkeypatch.context() as patch:
        patch.setattr(Bandit, "score", lambda self, samples: np.full((len(samples), 2), np.nan))
        assert run_cell(tmp_path, *overrides)["status"] == "failed"
    record = run_cell(tmp_path, *overrides)
    assert record["status"] == "ok" and record["n_failed"] == 0


def test_what_killed_runs_took_is_counted(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    overrides = ("method=clp", "preferences.divisions=2")
    make, calls = evaluation.Evaluation._sampled, [0]

    def slow(self: Any, block: range) -> Any:
        calls[0] += 1
        if calls[0] == 3:
            raise Death
        time.sleep(0.2)
        return make(self, block)

    monkeypatch.setattr(evaluation.Evaluation, "_sampled", slow)
    with pytest.raises(Death):
        run_cell(tmp_path, *overrides)
    assert run_cell(tmp_path, *overrides)["cost"]["seconds"]["sample"] >= 0.6


def test_other_code_begins_a_stage_anew(
    tmp_path: Path,
    batches: list[str],
    monkeypatch: pytest.MonkeyPatch,
    capfd: pytest.CaptureFixture[str],
) -> None:
    overrides = ("method=rewarded_soup", "budget.steps=6", "checkpoint_seconds=0")
    with pytest.raises(Death):
        runner.run_cell(plan(tmp_path, *overrides), Killer(4))
    monkeypatch.setattr("paretosteer.cells.provenance.source_digest", lambda *_: "0" * 64)
    batches.clear()
    assert run_cell(tmp_path, *overrides)["status"] == "ok"
    assert len(batches) == 6
    assert "train was started with other settings, restarted" in capfd.readouterr().err


def test_reuse_of_stages_of_other_code_is_noted(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    """As after the edit of a plug-in package that keeps its version."""
    overrides = ("method=rewarded_soup", "budget.steps=2")

    def die(*_: Any) -> Any:
        raise Death

    with monkeypatch.context() as patch:
        patch.setattr(runner.CellRun, "score", die)
        with pytest.raises(Death):
            run_cell(tmp_path, *overrides)
    monkeypatch.setattr("paretosteer.cells.provenance.source_digest", lambda *_: "0" * 64)
    note = "Made by other code, and reused: train, sample."
    assert note in run_cell(tmp_path, *overrides)["notes"]
    assert f"note: {note}" in capfd.readouterr().err
    assert not any("other code" in each for each in run_cell(tmp_path / "b", *overrides)["notes"])


def test_a_phase_that_changed_its_shape_is_trained(tmp_path: Path) -> None:
    """A journal belongs to one training run; a phase that it does not know is not believed."""

    class Phase:
        name, steps, finished = "bank 0", 3, False

    journal = Journal(tmp_path / "kept")
    assert journal.open(Phase()) is None
    journal.write({"parameter.0": torch.ones(2)}, {"phase": "bank 0", "steps": 3, "done": 3})
    found = Journal(tmp_path / "kept").open(Phase())
    assert found is not None and read_snapshot(found)[1]["done"] == 3
    Phase.name = "another"
    assert Journal(tmp_path / "kept").open(Phase()) is None
    assert list((tmp_path / "kept").iterdir()) == []


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (
            "budget.test_prompts",
            "results that were made with other settings: budget.test_prompts",
        ),
        (
            "file",
            "results that were made from other input files or by another version of the code",
        ),
    ],
)
def test_a_sweep_whose_results_another_run_replaced_fails(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], change: str, words: str
) -> None:
    file = tmp_path / "weights.txt"
    file.write_text("1,0\n0,1\n")
    given = ["benchmark=bandit", "budget=smoke", "budget.steps=2", "method=start"]
    given += ["preferences=file", f"preferences.path={file}", f"sweep_dir={tmp_path / 'cells'}"]
    cells = [PlannedCell.of(compose_cell(given))]
    run_one(cells[0])
    assert cells[0].plan is not None
    assert finish_sweep(cells) == 0 and "holds" not in capsys.readouterr().err
    if change == "file":  # the file was edited, and another run read it
        file.write_text("1,0\n0.5,0.5\n")
    else:
        given += [f"{change}=3"]
    assert main(["run", *given, "threads=2", "--dry-run"]) == 0
    assert f"{cells[0].plan.folder}: would replace {words}" in capsys.readouterr().out.splitlines()
    run_one(PlannedCell.of(compose_cell([*given, "threads=2"])))
    assert f"warning: replaces {words}\n" in capsys.readouterr().err
    assert finish_sweep(cells) == 1
    assert capsys.readouterr().err.splitlines()[-2:] == [
        f"{cells[0].plan.folder}: holds {words}; run this sweep again with its own sweep_dir",
        "1 of 1 cell failed",
    ]
