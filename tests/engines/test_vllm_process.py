"""The process that holds vLLM: its log, its end, and the errors that it reports."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import psutil
import pytest
from tiny_text import tiny_llama
from vllm_standin import FAKE, installed

from paretosteer.errors import UsageError
from paretosteer.text.engines.vllm_process import VLLMProcess
from paretosteer.text.engines.vllm_worker import Request

DECODING = {"max_new_tokens": 3, "min_new_tokens": 0, "temperature": 1.0, "top_k": None}
REQUEST = Request([1, 5], None, None, 7)

pytestmark = pytest.mark.slow  # each starts a Python with torch


@pytest.fixture
def settings(tmp_path: Path) -> dict[str, object]:
    tiny_llama().network.save_pretrained(tmp_path / "model")
    noise = "paretosteer.text.engines.vllm_noise:CommonNoise"
    return {"model": str(tmp_path / "model"), "logits_processors": [noise]}


def test_it_writes_logs_and_ends(
    settings: dict[str, object], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    installed(monkeypatch)
    process = VLLMProcess(settings, tmp_path / "engine.log")
    (written,) = process.write([REQUEST], DECODING, [])
    assert len(written.tokens) == len(written.log_probs) == 3 and max(written.log_probs) < 0
    assert "a stand-in is loaded" in (tmp_path / "engine.log").read_text()
    alive = psutil.Process(process._process.pid)
    process.close()
    assert not alive.is_running()


@pytest.mark.parametrize("moment", ["start", "generate"])
def test_what_vllm_raises_is_one_line(
    moment: str, settings: dict[str, object], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    installed(monkeypatch)
    monkeypatch.setenv("FAKE_VLLM_FAILS", moment)
    log = tmp_path / "engine.log"
    problem = r"does not start \(RuntimeError: out of room\)"
    if moment == "generate":
        problem = r"cannot write \(RuntimeError: generation failed\)"
    with pytest.raises(UsageError, match=rf"engine: vLLM {problem}; see .*, or set engine=native"):
        VLLMProcess(settings, log).write([REQUEST], DECODING, [])
    assert "Traceback" in log.read_text()


def test_a_process_that_dies_is_reported(
    settings: dict[str, object], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    installed(monkeypatch)
    process = VLLMProcess(settings, tmp_path / "engine.log")
    os.kill(process._process.pid, signal.SIGKILL)
    with pytest.raises(UsageError, match="its process ended"):
        process.write([REQUEST], DECODING, [])
    process.close()


def test_it_ends_with_the_process_that_started_it(
    settings: dict[str, object], tmp_path: Path
) -> None:
    program = (
        "import sys, time; from pathlib import Path;"
        "from paretosteer.text.engines.vllm_process import VLLMProcess;"
        f"process = VLLMProcess({settings!r}, Path({str(tmp_path / 'engine.log')!r}));"
        "print(process._process.pid, flush=True); time.sleep(600)"
    )
    environment = os.environ | {"PYTHONPATH": f"{FAKE}{os.pathsep}{os.environ['PYTHONPATH']}"}
    with subprocess.Popen(
        [sys.executable, "-c", program], stdout=subprocess.PIPE, env=environment
    ) as parent:
        assert parent.stdout is not None
        child = psutil.Process(int(parent.stdout.readline()))
        parent.kill()
    child.wait(30)
