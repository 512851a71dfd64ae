"""The setting `engine`: what it refuses, its part in digests, and its mark in tables."""

from __future__ import annotations

import sys
from pathlib import Path

import pandas as pd
import pytest
from vllm_standin import installed

from paretosteer.cells.plan import plan_cell
from paretosteer.cells.runner import run_cell
from paretosteer.config.schema import CellConfig
from paretosteer.errors import UsageError
from paretosteer.report import write_report
from paretosteer.report.analysis import row_key
from paretosteer.sweeps.compose import compose_cell
from paretosteer.tracking import make_tracker

SMALL = (
    *("budget=smoke", "budget.steps=2", "budget.prompts=2", "budget.samples=2"),
    *("budget.test_prompts=2", "budget.calibration_samples=2", "preferences.divisions=2"),
    *("benchmark=stories", "benchmark.max_new_tokens=6", "benchmark.min_new_tokens=0"),
    *("device=cpu", "threads=1", "method=clp"),
)


def test_vllm_has_to_be_installed(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in [each for each in sys.modules if each.partition(".")[0] == "vllm"]:
        monkeypatch.delitem(sys.modules, name)  # the stand-in of another test
    with pytest.raises(UsageError, match=r"vllm is not installed; .*paretosteer\[vllm\]"):
        plan_cell(compose_cell(["engine=vllm"]))


@pytest.mark.parametrize("benchmark", ["bandit", "ranking"])
def test_a_benchmark_without_texts_is_refused(benchmark: str) -> None:
    with pytest.raises(UsageError, match=f"engine: 'vllm' .*{benchmark} has none"):
        plan_cell(compose_cell(["engine=vllm", f"benchmark={benchmark}"]))


def test_settings_are_checked() -> None:
    with pytest.raises(UsageError, match=r"engine\.memory_share: found 2\.0"):
        compose_cell(["engine=vllm", "engine.memory_share=2.0"])
    with pytest.raises(Exception, match=r"engine=vlm"):
        compose_cell(["engine=vlm"])


def test_an_engine_is_another_sample_and_with_rollouts_another_training(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    installed(monkeypatch)
    native, vllm, rollouts, slots = (
        plan_cell(compose_cell(list(given)))
        for given in (
            (),
            ("engine=vllm",),
            ("engine=vllm", "engine.rollouts=true"),
            ("engine=vllm", "engine.slots=3", "engine.memory_share=0.9"),
        )
    )
    assert native.train_digest == vllm.train_digest != rollouts.train_digest
    assert native.digests["sample"] != vllm.digests["sample"] == slots.digests["sample"]
    assert native.preparation == vllm.preparation  # what cells may share


def test_a_configuration_without_an_engine_is_that_of_our_own_loop() -> None:
    config = compose_cell([]).model_dump(mode="json")
    without = {name: value for name, value in config.items() if name != "engine"}
    assert row_key.key(config) == row_key.key(without)
    assert CellConfig.parse(without).engine.name == "native"
    assert row_key.configuration(config | {"engine": {"name": "vllm", "slots": 3}}) == (
        row_key.configuration(config) | {"engine": "vllm"}
    )


def test_rows_of_two_engines_are_marked() -> None:
    rows = [("clp", "full", {}), ("clp", "full", {"engine": "vllm"}), ("start", "", {})]
    assert row_key.labels(rows) == [
        "clp (full) [engine=native]",
        "clp (full) [engine=vllm]",
        "start [engine=native]",
    ]
    assert row_key.labels([rows[0], rows[2]]) == ["clp (full)", "start"]


def test_a_cell_is_trained_natively_and_answered_by_the_engine(
    tmp_path: Path, fake_vllm: type, capsys: pytest.CaptureFixture[str]
) -> None:
    """The same figures as our own loop; both rows stand in one table, with marks and a note."""
    cells = {}
    for name in ("native", "vllm"):
        plan = plan_cell(compose_cell([*SMALL, f"engine={name}", f"sweep_dir={tmp_path / name}"]))
        record = run_cell(plan, make_tracker(plan.config.tracker))
        assert record is not None and record.status == "ok", record
        cells[name] = plan.folder
    texts = [(folder / "samples.jsonl").read_text() for folder in cells.values()]
    assert texts[0] == texts[1]
    first, second = (pd.read_parquet(folder / "drift.parquet") for folder in cells.values())
    pd.testing.assert_frame_equal(first, second, rtol=1e-3, atol=1e-4)
    assert [(folder / "engine.log").is_file() for folder in cells.values()] == [False, True]
    assert "starting vLLM; its log is" in capsys.readouterr().err
    assert len(fake_vllm.started) == 2 and all(each.closed for each in fake_vllm.started)

    frame = write_report([tmp_path / "native", tmp_path / "vllm"], tmp_path / "report").leaderboard
    assert set(frame["table"]) == {1}
    assert sorted(frame["label"]) == ["clp (full) [engine=native]", "clp (full) [engine=vllm]"]
    assert (
        "Engines differ: the samples were written by native and vllm"
        in (tmp_path / "report" / "leaderboard.md").read_text()
    )


def test_training_uses_the_engine_with_rollouts(tmp_path: Path, fake_vllm: type) -> None:
    given = [*SMALL, f"sweep_dir={tmp_path}"]
    native = plan_cell(compose_cell([*given, "sweep_dir=" + str(tmp_path / "native")]))
    vllm = plan_cell(compose_cell([*given, "engine=vllm", "engine.rollouts=true"]))
    for plan in (native, vllm):
        record = run_cell(plan, make_tracker(plan.config.tracker))
        assert record is not None and record.status == "ok", record
    (process,) = fake_vllm.started  # from the check to the last answer
    assert len(process.engine.removed) > 0 and process.closed
    logs = [pd.read_csv(plan.folder / "training.csv") for plan in (native, vllm)]
    pd.testing.assert_series_equal(logs[0]["loss"], logs[1]["loss"], rtol=1e-3, atol=1e-4)


def test_a_method_that_it_cannot_steer_is_unsupported_before_training(
    tmp_path: Path, fake_vllm: type
) -> None:
    given = [*SMALL, "method=mod", "engine=vllm", f"sweep_dir={tmp_path}"]
    plan = plan_cell(compose_cell(given))
    record = run_cell(plan, make_tracker(plan.config.tracker))
    assert record is not None and record.status == "unsupported"
    assert record.explanation.endswith("at every token; set engine=native")
    assert not (plan.folder / "training.csv").exists() and not fake_vllm.started


def test_the_engine_is_closed_when_a_cell_is_interrupted(
    tmp_path: Path, fake_vllm: type, monkeypatch: pytest.MonkeyPatch
) -> None:
    def interrupt(*_: object) -> None:
        raise KeyboardInterrupt

    plan = plan_cell(compose_cell([*SMALL, "engine=vllm", f"sweep_dir={tmp_path}"]))
    monkeypatch.setattr(fake_vllm, "write", interrupt)
    with pytest.raises(KeyboardInterrupt):
        run_cell(plan, make_tracker(plan.config.tracker))
    assert [each.closed for each in fake_vllm.started] == [True]
