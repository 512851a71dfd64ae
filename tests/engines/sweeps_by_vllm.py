"""Sweeps of a real vLLM and of our own loop agree: `make test-vllm MODEL=folder`."""

from __future__ import annotations

import os
from pathlib import Path

import engine_study
import pandas as pd
import pytest

from paretosteer.commands.main import main

MODEL = os.environ.get("MODEL", "")
SMALL = (
    *("benchmark=stories", "budget=smoke", "budget.steps=3", "budget.test_prompts=2"),
    *("preferences.divisions=2", "device=cpu", "dtype=float32", "threads=1"),
)

pytestmark = pytest.mark.skipif(not MODEL, reason="set MODEL to a Hugging Face folder")


def test_their_leaderboards_agree() -> None:
    given = os.environ.get("OVERRIDES", "").split()
    assert engine_study.main(["--model", MODEL, *given]) == 0


def test_training_takes_the_same_steps_with_rollouts(tmp_path: Path) -> None:
    logs = []
    for name, engine in (
        ("native", ["engine=native"]),
        ("vllm", ["engine=vllm", "engine.rollouts=true", "engine.cache_gb=0.25"]),
    ):
        model = ["model=hf", f"model.path={MODEL}"]
        folder = f"sweep_dir={tmp_path / name}"
        assert main(["run", "method=clp", *model, *SMALL, *engine, folder]) == 0
        (log,) = (tmp_path / name).rglob("training.csv")
        logs.append(pd.read_csv(log))
        print(f"{name}: {logs[-1]['seconds'].diff().mean():.2f} s a step")
    pd.testing.assert_series_equal(logs[0]["loss"], logs[1]["loss"], rtol=1e-2, atol=1e-2)
