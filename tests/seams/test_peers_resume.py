"""Peers of the five methods: killed and resumed; exported as a model and as an adapter."""

from __future__ import annotations

from pathlib import Path

import pytest
from seam_cells import TEXT, assert_resumes, finish

from paretosteer.commands.main import main

LATER = [pytest.param(name, marks=pytest.mark.slow) for name in ("pblora", "pareto_merging")]
TIED = ["panacea", *LATER]


@pytest.mark.parametrize("method", TIED)
def test_a_language_model_resumes_and_is_exported(tmp_path: Path, method: str) -> None:
    cell = assert_resumes(tmp_path, *TEXT, f"method={method}")
    for form in ("model", "peft"):  # an export is loaded again and compared before it is written
        out = str(tmp_path / form)
        assert (
            main(["export", str(cell), "--preference", "0.3,0.7", "--as", form, "--out", out]) == 0
        )


@pytest.mark.slow
def test_panacea_resumes_with_tchebycheff(tmp_path: Path) -> None:
    bandit = ("benchmark=bandit", "benchmark.policy=mlp", "method=panacea")
    for feedback in ("reward", "preference"):
        chosen = ("method.aggregation=tchebycheff", f"method.feedback={feedback}")
        assert_resumes(tmp_path / feedback, *bandit, *chosen)
    assert_resumes(tmp_path / "text", *TEXT, "method=panacea", "method.aggregation=tchebycheff")


@pytest.mark.parametrize("margin", ["rewards", pytest.param("models", marks=pytest.mark.slow)])
def test_modpo_resumes_with_its_margins(tmp_path: Path, margin: str) -> None:
    shared = ("method=modpo", "method.divisions=1", "method.share=true")
    assert_resumes(tmp_path, *TEXT, *shared, f"method.margin={margin}", "budget.steps=8")


@pytest.mark.slow
def test_decoupled_advantages_train_and_resume(tmp_path: Path) -> None:
    cell = assert_resumes(tmp_path, *TEXT, "method=clp", "method.advantage=decoupled")
    joint = finish(tmp_path / "joint", *TEXT, "method=clp")
    file = "checkpoint/policy.safetensors"
    assert (cell / file).read_bytes() != (joint / file).read_bytes()
