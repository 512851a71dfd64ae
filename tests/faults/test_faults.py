"""Faults around a cell: the message, and the state of the files afterwards."""

from __future__ import annotations

import errno
import gc
import os
import re
import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from dying import Death, watching
from safetensors.numpy import load_file
from small_cells import SMALL, cell_folder, contents, plan, run_cell
from small_model import write_model

from paretosteer.benchmarks.bandit.benchmark import Bandit
from paretosteer.benchmarks.stories.benchmark import Stories
from paretosteer.cells import evaluation, runner
from paretosteer.cells.cell import read_cell
from paretosteer.cells.record import read_record
from paretosteer.commands.main import main
from paretosteer.storage import atomic
from paretosteer.tracking import Tracker
from paretosteer.training.feedback import Expectation

CLP = "method=clp"
POLICY = "checkpoint/policy.safetensors"


@pytest.fixture(autouse=True)
def _small(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(evaluation, "MOST", 4)
    monkeypatch.setattr(gc, "collect", lambda: 0)


# -- the disk -------------------------------------------------------------------------------


def test_a_full_disk_at_any_moment_costs_nothing_that_was_finished(tmp_path: Path) -> None:
    whole = tmp_path / "whole"
    with watching(whole) as undisturbed:
        run_cell(whole, CLP)
    expected = contents(cell_folder(whole, CLP))
    full = OSError(errno.ENOSPC, "No space left on device")
    for last in range(5, len(undisturbed.changes), 4):
        folder = tmp_path / str(last)
        with watching(folder, last, full), pytest.raises(OSError, match="No space left"):
            run_cell(folder, CLP)
        assert read_cell(cell_folder(folder, CLP)).status == "missing"
        assert run_cell(folder, CLP)["status"] == "ok"
        assert contents(cell_folder(folder, CLP)) == expected


def test_a_disk_that_is_full_for_a_moment_fails_the_cell_with_the_remedy(tmp_path: Path) -> None:
    full = OSError(errno.ENOSPC, "No space left on device")
    with watching(tmp_path / "cells", 20, full, once=True):
        record = run_cell(tmp_path / "cells", CLP)
    assert record["status"] == "failed" and record["error"]["type"] == "OSError"
    assert "free some space, then run the same command again" in record["error"]["message"]
    assert run_cell(tmp_path / "cells", CLP)["status"] == "ok"


def test_a_sweep_on_a_full_disk_ends_and_says_so(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    sweep = ["sweep", *SMALL, "method=clp,start", f"sweep_dir={tmp_path / 'cells'}"]
    with watching(tmp_path / "cells", 20, OSError(errno.ENOSPC, "No space left on device")):
        assert main(sweep) == 1
    assert "free some space, then run the same command again" in capfd.readouterr().err
    assert main(sweep) == 0


@pytest.mark.parametrize(
    ("code", "remedy"),
    [
        (errno.EROFS, "use a writable folder with sweep_dir=DIR"),
        (errno.EACCES, "use a folder that you own with sweep_dir=DIR"),
        (
            errno.EDQUOT,
            "free some quota, then run the same command again; finished work is kept",
        ),
    ],
)
def test_a_folder_that_can_no_longer_be_written(
    tmp_path: Path, code: int, remedy: str, capfd: pytest.CaptureFixture[str]
) -> None:
    """A file system that turns read-only, say, while the second cell of a sweep trains."""
    whole, folder = tmp_path / "whole", tmp_path / "cells"
    run_cell(whole, CLP)
    run_cell(folder, "method=start")
    refused = OSError(code, os.strerror(code), str(folder))
    words = [*SMALL, f"sweep_dir={folder}"]
    for command, exit_code in (["run", CLP], 2), (["sweep", "method=start,clp"], 1):
        with watching(folder, 20, refused):
            assert main([*command, *words]) == exit_code
        told = capfd.readouterr().err
        assert os.strerror(code) in told and remedy in told and "Traceback" not in told
        assert read_cell(cell_folder(folder, CLP)).status == "missing"
        assert read_cell(cell_folder(folder, "method=start")).status == "ok"
    assert main(["sweep", "method=start,clp", *words]) == 0
    assert contents(cell_folder(folder, CLP)) == contents(cell_folder(whole, CLP))


def test_a_folder_that_cannot_be_written_is_refused_at_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(atomic.os, "access", lambda place, mode: False)  # also for root
    for command in ("run", "sweep"):
        assert main([command, *SMALL, CLP, f"sweep_dir={tmp_path / 'a' / 'b'}"]) == 2
        assert f"sweep_dir: {tmp_path} cannot be written" in capfd.readouterr().err
    assert list(tmp_path.iterdir()) == []


def test_a_file_in_the_place_of_the_sweep_is_refused(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "cells").write_text("mine")
    assert main(["run", *SMALL, CLP, f"sweep_dir={tmp_path / 'cells'}"]) == 2
    assert f"sweep_dir: {tmp_path / 'cells'} is a file" in capfd.readouterr().err


def test_a_file_in_the_place_of_a_cell_is_named_and_stays(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    folder = cell_folder(tmp_path, CLP)
    folder.parent.mkdir(parents=True)
    folder.write_text("mine")
    assert main(["run", *SMALL, CLP, f"sweep_dir={tmp_path}"]) == 2
    assert f"{str(folder)!r}; move the existing file away" in capfd.readouterr().err
    assert folder.read_text() == "mine"


# -- rewards --------------------------------------------------------------------------------


def text_cell(folder: Path, *overrides: str) -> dict[str, Any]:
    model = write_model(folder / "model")
    cell = ("benchmark=stories", "method=start", "model=hf", f"model.path={model}", *overrides)
    return run_cell(folder / "cells", *cell)


def with_reward(monkeypatch: pytest.MonkeyPatch, score: Any) -> None:
    """Replace what the first objective of the stories says of a text."""
    scored = Stories.scored

    def replaced(self: Stories) -> Any:
        (objective, _), *others = scored(self)
        return [(objective, score), *others]

    monkeypatch.setattr(Stories, "scored", replaced)


def test_a_reward_that_raises_now_and_then_is_counted(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen: list[str] = []

    def score(text: str) -> float:
        seen.append(text)
        if len(seen) % 1000 == 999:
            raise ZeroDivisionError("no words")
        return float(len(text) % 7)

    with_reward(monkeypatch, score)
    record = text_cell(tmp_path, "budget.test_samples=200")
    assert record["status"] == "ok" and record["n_failed"] > 0
    assert record["n_failed"] == len([n for n in range(1, len(seen) + 1) if n % 1000 == 999])
    assert record["n_scored"] + record["n_failed"] == record["n_total"]


def test_a_calibration_sample_without_a_score_is_not_in_the_units(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PARETOSTEER_CACHE", str(tmp_path / "cache"))
    values: list[float] = []
    failed: list[str] = []

    def score(text: str) -> float:
        if not failed:
            failed.append(text)
            return float("nan")
        values.append(float(len(text) % 7))
        return values[-1]

    with_reward(monkeypatch, score)
    record = text_cell(tmp_path)
    found = [note for note in record["notes"] if "calibration samples" in note]
    total = int(found[0].split()[2])
    assert found == [
        f"1 of {total} calibration samples could not be scored by positive, and were left out of "
        "the units."
    ]
    assert record["normaliser"]["mean"][0] == pytest.approx(np.mean(values[: total - 1]))
    again = text_cell(tmp_path, "seed=1")  # with the same units, from the cache
    assert again["normaliser"] == record["normaliser"] and found[0] in again["notes"]
    assert record["n_failed"] == again["n_failed"] == 0


def test_samples_without_a_judge_s_score_are_noted(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def judged(self: Bandit, samples: Any) -> Any:
        raw = self.score(samples).copy()
        raw[0, 1] = np.nan
        return raw

    monkeypatch.setattr(Bandit, "judged", judged, raising=False)
    monkeypatch.setattr(Bandit, "reward_models", {"models": {}}, raising=False)
    record = run_cell(tmp_path, "method=start")
    (found,) = [note for note in record["notes"] if "judged samples" in note]
    assert found.endswith("could not be scored by reward_2, and were given the worst value.")


def test_units_that_are_measured_again_with_another_outcome_are_noted(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As with a reward that is a service, or on another machine."""
    note = (
        "Trained and scored in different units: the start model was scored again in between, "
        "with other results."
    )
    scale = [1.0]
    with_reward(monkeypatch, lambda text: scale[0] * (len(text) % 7))
    for count, factor, told in ((2, 1.0, False), (3, 1.0, False), (4, 2.0, True)):
        monkeypatch.setenv("PARETOSTEER_CACHE", str(tmp_path / f"cache {count}"))
        scale[0] = factor
        test = f"budget.test_prompts={count}"
        assert (note in text_cell(tmp_path, test)["notes"]) is told


def test_a_reward_that_raises_too_often_fails_the_cell(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def score(text: str) -> float:
        raise ZeroDivisionError("no words")

    with_reward(monkeypatch, score)
    record = text_cell(tmp_path)
    assert record["status"] == "failed" and record["error"]["type"] == "ScoringError"
    assert "samples could not be scored by positive" in record["error"]["message"]


def test_a_reward_that_hangs_on_a_sample_is_counted(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    hung: list[str] = []

    def score(text: str) -> float:
        if not hung:
            hung.append(text)
            time.sleep(60)
        return float(len(text) % 7)

    with_reward(monkeypatch, score)
    began = time.monotonic()
    assert text_cell(tmp_path, "score_seconds=0.2")["status"] == "ok"
    assert time.monotonic() - began < 50


def test_a_benchmark_that_hangs_fails_the_cell(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Bandit, "score", lambda self, samples: time.sleep(60))
    record = run_cell(tmp_path, CLP, "score_seconds=0.01")
    assert record["status"] == "failed" and record["error"]["type"] == "ScoringError"
    assert "took more than 0.01 s per sample" in record["error"]["message"]
    monkeypatch.undo()
    assert run_cell(tmp_path, CLP)["status"] == "ok"


# -- training -------------------------------------------------------------------------------


def test_a_loss_that_is_not_a_number_fails_the_cell_and_is_tried_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    loss = Expectation.loss
    with monkeypatch.context() as patch:
        patch.setattr(Expectation, "loss", lambda *args: loss(*args) * float("nan"))
        record = run_cell(tmp_path, CLP)
    assert record["status"] == "failed" and record["error"]["type"] == "DivergenceError"
    assert record["error"]["stage"] == "train" and "the loss is nan" in record["error"]["message"]
    assert run_cell(tmp_path, CLP, "overwrite=never") == record
    assert run_cell(tmp_path, CLP)["status"] == "ok"


def test_training_that_runs_out_of_memory_goes_on_in_parts(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    """The gradient of a batch is that of its parts together, and the record says how many."""
    whole = run_cell(tmp_path / "whole", CLP, "budget.steps=4")
    collect = Expectation.collect

    def small_memory(self: Expectation, policy: Any, draws: Any, *rest: Any) -> Any:
        if len(draws.weights) > 3:
            raise RuntimeError("[enforce fail] DefaultCPUAllocator: can't allocate memory")
        return collect(self, policy, draws, *rest)

    monkeypatch.setattr(Expectation, "collect", small_memory)
    parts = run_cell(tmp_path / "parts", CLP, "budget.steps=4")
    assert "out of memory; continuing with each training batch in 4 parts" in capfd.readouterr().err
    assert parts["batch_size"] == {**whole["batch_size"], "train_parts": 4}
    assert whole["batch_size"]["train_parts"] == 1
    assert parts["cost"]["train_tokens"] == whole["cost"]["train_tokens"]
    one, two = (
        load_file(cell_folder(tmp_path / name, CLP, "budget.steps=4") / POLICY)
        for name in ("whole", "parts")
    )
    for key in one:
        np.testing.assert_allclose(two[key], one[key], atol=1e-5)


def test_a_single_prompt_that_does_not_fit_fails_the_cell(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def no_memory(*args: Any) -> Any:
        raise RuntimeError("[enforce fail] DefaultCPUAllocator: can't allocate memory")

    monkeypatch.setattr(Expectation, "collect", no_memory)
    record = run_cell(tmp_path, CLP)
    assert record["status"] == "failed" and "can't allocate memory" in record["error"]["message"]


# -- clocks ---------------------------------------------------------------------------------


def test_a_clock_that_jumps_changes_no_figure(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    cell = (CLP, "budget.steps=4", "checkpoint_seconds=0")
    run_cell(tmp_path / "whole", *cell)
    day, calls, now = 86400, [0], time.time

    def jumping() -> float:
        calls[0] += 1
        return now() + day * (-1) ** calls[0]

    monkeypatch.setattr(time, "time", jumping)

    class Killer(Tracker):
        def log(self, step: int, row: Any) -> None:
            if step == 4:
                raise Death

    with pytest.raises(Death):
        runner.run_cell(plan(tmp_path / "jumped", *cell), Killer())
    folder = cell_folder(tmp_path / "jumped", *cell)
    for path in next(folder.glob(".train-*")).iterdir():
        os.utime(path, (now() + day, now() + day))  # kept by a server whose clock is ahead
    record = run_cell(tmp_path / "jumped", *cell)
    assert contents(folder) == contents(cell_folder(tmp_path / "whole", *cell))
    assert all(seconds >= 0 for seconds in record["cost"]["seconds"].values())


# -- what to do with cells that ran before ---------------------------------------------------


def test_overwrite_says_which_cells_run_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    command = ["sweep", *SMALL, "method=clp,start", f"sweep_dir={tmp_path}"]
    with monkeypatch.context() as patch:
        patch.setattr(Expectation, "collect", lambda *args: 1 / 0)
        assert main(command) == 1
    failed, finished = (next((tmp_path / "bandit" / name).iterdir()) for name in ("clp", "start"))
    assert read_record(failed).status == "failed"

    def stamps() -> list[int]:
        return [(cell / "record.json").stat().st_mtime_ns for cell in (failed, finished)]

    before = stamps()
    assert main([*command, "--overwrite", "never", "--dry-run"]) == 0
    assert re.search("clp .*failed before, left alone +0 +0$", capfd.readouterr().out, re.MULTILINE)
    assert main([*command, "--overwrite", "never"]) == 1 and stamps() == before
    assert "failed before, not tried again" in capfd.readouterr().err
    assert main(command) == 0
    assert stamps()[0] != before[0] and stamps()[1] == before[1]
    assert read_record(failed).status == "ok"
    before = stamps()
    capfd.readouterr()
    assert main([*command, "--overwrite", "all"]) == 0
    assert stamps()[0] != before[0] and stamps()[1] != before[1]
    assert "reused" not in capfd.readouterr().err


def test_a_cell_that_could_not_begin_is_the_same_cell_later(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    command = ["sweep", *SMALL, CLP, f"sweep_dir={tmp_path}"]
    with monkeypatch.context() as patch:
        patch.setattr(Bandit, "__init__", lambda *args: 1 / 0)
        assert main(command) == 1
    folder = cell_folder(tmp_path, CLP)
    assert read_record(folder).error.stage == "prepare"
    assert main(command) == 0
    assert read_record(folder).status == "ok"


def test_a_cell_that_is_being_run_is_not_overwritten(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    from paretosteer.storage.locks import owned

    run_cell(tmp_path, CLP)
    folder = cell_folder(tmp_path, CLP)
    before = contents(folder)
    with owned(folder, print):
        command = ["run", *SMALL, CLP, f"sweep_dir={tmp_path}", "--overwrite", "all"]
        assert main(command) == 2
    assert f"another job is working on {folder}" in capfd.readouterr().err
    assert contents(folder) == before and read_record(folder).status == "ok"
