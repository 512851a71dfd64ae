"""Sweeps of a real vLLM and of our own loop agree: `make test-vllm MODEL=folder`."""

from __future__ import annotations

import os

import engine_study
import pytest


@pytest.mark.skipif(not os.environ.get("MODEL"), reason="set MODEL to a Hugging Face folder")
def test_their_leaderboards_agree() -> None:
    given = os.environ.get("OVERRIDES", "").split()
    assert engine_study.main(["--model", os.environ["MODEL"], *given]) == 0
