"""A stand-in for vLLM, in this process or in one of its own."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import Any, ClassVar

import pytest

FAKE = Path(__file__).parent / "fake_vllm"


class InProcess:
    """A `VLLMProcess` whose work is done in this process."""

    started: ClassVar[list[InProcess]] = []

    def __init__(self, settings: Any, log: Path, adapters: str, gpus: str | None = None):
        from paretosteer.text.engines.vllm_worker import _start

        log.write_text("vllm: started")
        self.settings, self.closed, self.requests = settings, False, []
        self.engine = _start({"max_num_seqs": 3, **settings})
        self.started.append(self)

    def write(self, requests: Any, decoding: Any, ends: Any) -> Any:
        from paretosteer.text.engines.vllm_worker import Work, _write

        self.requests += requests
        return _write(self.engine, Work(requests, decoding, ends))

    def forget(self, adapters: Any) -> None:
        for number in adapters:
            if number in self.engine.loaded:
                self.engine.llm_engine.remove_lora(number)

    def close(self) -> None:
        self.closed = True


def installed(monkeypatch: pytest.MonkeyPatch) -> None:
    """Put the stand-in on the path of this process and of those that it starts."""
    monkeypatch.syspath_prepend(FAKE)
    paths = [str(FAKE), os.environ.get("PYTHONPATH", "")]
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join(filter(None, paths)))
    noise = "paretosteer.text.engines.vllm_noise"
    for name in [n for n in sys.modules if n == noise or n.partition(".")[0] == "vllm"]:
        monkeypatch.delitem(sys.modules, name)
