"""The process that holds vLLM: its log, its end, and the errors that it reports.

Slow tests start a Python with torch.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from contextlib import closing
from multiprocessing import Pipe
from pathlib import Path

import psutil
import pytest
from pydantic import BaseModel, ValidationError, field_validator
from tiny_text import tiny_llama
from vllm_standin import FAKE, installed

from paretosteer.errors import UsageError
from paretosteer.text.engines.vllm_process import VLLMProcess
from paretosteer.text.engines.vllm_worker import LONGEST_REASON, Request, _reason

DECODING = {"max_new_tokens": 3, "min_new_tokens": 0, "temperature": 1.0, "top_k": None}
REQUEST = Request([1, 5], None, None, 7)


@pytest.fixture
def settings(tmp_path: Path) -> dict[str, object]:
    tiny_llama().network.save_pretrained(tmp_path / "model")
    noise = "paretosteer.text.engines.vllm_noise:CommonNoise"
    return {"model": str(tmp_path / "model"), "logits_processors": [noise]}


@pytest.mark.slow
def test_it_writes_logs_and_ends(
    settings: dict[str, object], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    installed(monkeypatch)
    process = VLLMProcess(settings, tmp_path / "engine.log", str(tmp_path / "adapters"))
    (written,) = process.write([REQUEST], DECODING, [])
    assert len(written.tokens) == len(written.log_probs) == 3 and max(written.log_probs) < 0
    assert "a stand-in is loaded" in (tmp_path / "engine.log").read_text()
    alive = psutil.Process(process._process.pid)
    process.close()
    assert not alive.is_running()


@pytest.mark.slow
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
    said = rf"engine: vLLM {problem}; see .*, or set engine=native"
    adapters = str(tmp_path / "adapters")
    with (
        pytest.raises(UsageError, match=said),
        closing(VLLMProcess(settings, log, adapters)) as process,
    ):
        process.write([REQUEST], DECODING, [])
    assert "Traceback" in log.read_text()


def test_the_reason_of_a_validation_error_is_its_first_message() -> None:
    class Model(BaseModel):
        architecture: str

        @field_validator("architecture")
        @classmethod
        def known(cls, name: str) -> str:
            raise ValueError(f"{name} is not supported; supported: {'LlamaForCausalLM ' * 50}")

    with pytest.raises(ValidationError) as error:
        Model(architecture="GPT")
    reason = _reason(error.value)
    assert reason.startswith("Value error, GPT is not supported") and len(reason) <= LONGEST_REASON


@pytest.mark.parametrize(
    ("said", "remedy"),
    [
        (
            "ValueError: a KV cache of 16 GiB is needed",
            r"raise engine\.cache_gb .* engine\.context",
        ),
        ("OutOfMemoryError: CUDA out of memory", r"lower engine\.memory_share"),
    ],
)
def test_a_lack_of_memory_names_our_settings(said: str, remedy: str, tmp_path: Path) -> None:
    process = object.__new__(VLLMProcess)
    process._pipe, other = Pipe()
    process._log = tmp_path / "engine.log"
    other.send(("failed", said))
    with pytest.raises(UsageError, match=rf"\({said}\); {remedy}.*, or set engine=native"):
        process.forget([])


@pytest.mark.slow
def test_a_process_that_dies_is_reported(
    settings: dict[str, object], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    installed(monkeypatch)
    process = VLLMProcess(settings, tmp_path / "engine.log", str(tmp_path / "adapters"))
    os.kill(process._process.pid, signal.SIGKILL)
    with pytest.raises(UsageError, match="its process ended"):
        process.write([REQUEST], DECODING, [])
    process.close()


@pytest.mark.slow
@pytest.mark.parametrize("writing", [True, False])
def test_it_ends_with_the_process_that_started_it(
    writing: bool, settings: dict[str, object], tmp_path: Path
) -> None:
    adapters = tmp_path / "adapters"
    adapters.mkdir()
    program = (
        "import time; from pathlib import Path;"
        "from paretosteer.text.engines.vllm_process import VLLMProcess;"
        "from paretosteer.text.engines.vllm_worker import Request;"
        f"files = (Path({str(tmp_path / 'engine.log')!r}), {str(adapters)!r});"
        f"process = VLLMProcess({settings!r}, *files);"
        "print(process._process.pid, flush=True);"
        + (
            f"process.write([Request([1], None, None, 7)], {DECODING!r}, [])"
            if writing
            else "time.sleep(600)"
        )
    )
    environment = os.environ | {
        "PYTHONPATH": f"{FAKE}{os.pathsep}{os.environ['PYTHONPATH']}",
        "FAKE_VLLM_FAILS": "hang",
    }
    with subprocess.Popen(
        [sys.executable, "-c", program], stdout=subprocess.PIPE, env=environment
    ) as parent:
        assert parent.stdout is not None
        child = psutil.Process(int(parent.stdout.readline()))
        log = tmp_path / "engine.log"
        while writing and "writing" not in log.read_text():
            time.sleep(0.1)
        parent.kill()
    child.wait(30)
    assert not adapters.exists()
