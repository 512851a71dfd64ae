"""A stand-in for vLLM, served in this process."""

from __future__ import annotations

import pytest
from vllm_standin import InProcess, installed


@pytest.fixture
def fake_vllm(monkeypatch: pytest.MonkeyPatch) -> type[InProcess]:
    """The stand-in, as an installed package, served in this process."""
    from paretosteer.text.engines import vllm_engine

    installed(monkeypatch)
    monkeypatch.setattr(InProcess, "started", [])
    monkeypatch.setattr(vllm_engine, "VLLMProcess", InProcess)
    monkeypatch.setattr(vllm_engine, "_agreed", set())
    return InProcess
