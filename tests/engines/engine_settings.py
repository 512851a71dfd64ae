"""Settings of an engine for tests."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import torch

from paretosteer.config.schema import VLLMEngine

DEFAULTS = {
    "name": "vllm",
    "rollouts": False,
    "tensor_parallel": 1,
    "memory_share": 0.5,
    "cache_gb": 0.25,
    "slots": None,
    "rows": None,
    "context": None,
    "eager": None,
}


def engine_setting(**changed: Any) -> Any:
    """Part of a cell's setting that an engine reads."""
    return SimpleNamespace(
        engine=VLLMEngine(**DEFAULTS | changed),
        device=torch.device("cpu"),
        dtype=torch.float32,
        model_key="model",
    )
